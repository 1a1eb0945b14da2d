"""Bounds on the figures of a simulation, and two runs beside each other."""
