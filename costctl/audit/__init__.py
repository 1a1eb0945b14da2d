"""Where the money went: the findings, each a page of SQL, and the report made of them."""
