"""Tiers A, B and C: cost descriptors by rules that are data, never evidence of quality."""
