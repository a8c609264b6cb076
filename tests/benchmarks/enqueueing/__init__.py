"""Contestants of ``tests/benchmarks/enqueue.py``, one module each: how it enqueues, and how its workers are started."""
