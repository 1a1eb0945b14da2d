"""Kernels that audit and replay share: what could have been answered from what was known."""
