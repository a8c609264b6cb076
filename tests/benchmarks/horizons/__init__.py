"""
The horizon beside peers: queues under a steady load while somebody else's transaction stays open.

``python -m tests.benchmarks.horizons`` compares, ``contest.py`` measures one contestant in a process of its own.
"""
