"""Measuring: how the scheduling stands, and the ids that belong to a window of time."""
