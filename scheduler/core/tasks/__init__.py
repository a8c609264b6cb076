"""Tasks: the registry of functions that may run, their signatures, secret arguments, and limits by key."""
