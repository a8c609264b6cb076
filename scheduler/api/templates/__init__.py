"""Templates and declared jobs over HTTP."""
