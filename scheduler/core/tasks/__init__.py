"""Tasks: the registry of functions that may run, their signatures, and their secret arguments."""
