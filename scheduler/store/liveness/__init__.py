"""Liveness: nodes that beat, stop or are lost, and the environment that they share."""
