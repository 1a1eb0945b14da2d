"""What a token costs, where, when and for whom: prices are data, joined in SQL."""
