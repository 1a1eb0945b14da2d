"""A Report as text: each renderer is a function and computes nothing."""
