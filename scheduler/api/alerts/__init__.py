"""Rules, channels and incidents over HTTP."""
