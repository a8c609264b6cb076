"""The resource ``queues``, and enqueueing."""
