"""Strange logs in, canonical requests out: the trust boundary of the house."""
