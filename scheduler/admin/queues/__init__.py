"""Pages of queues, and of tasks whose runs were enqueued."""
