"""Replay of a policy over the calls of a log, in time order."""
