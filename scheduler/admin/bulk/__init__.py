"""Pages of one action on many jobs or runs: the question, the progress, the stop."""
