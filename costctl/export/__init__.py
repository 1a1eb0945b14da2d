"""Policies as the configuration of the routers that carry them out."""
