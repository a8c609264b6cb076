"""Recording: the life of a run from the queue to its outcome, and the sums that follow from it."""
