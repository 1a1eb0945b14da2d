"""Cost audit and routing simulator for LLM request logs."""

__version__ = "0.1.0"
