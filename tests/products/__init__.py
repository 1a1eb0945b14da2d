"""Exports against the real products, each installed in a place of its own: `python -m tests.products`."""
