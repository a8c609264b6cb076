"""Queues: the names under which runs wait, and what an enqueued run is made of."""
