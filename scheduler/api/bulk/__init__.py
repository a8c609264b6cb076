"""Actions on many runs, and how far actions on many are."""
