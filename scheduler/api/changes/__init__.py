"""The change history over HTTP."""
