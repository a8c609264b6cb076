"""
One node: the loop of duties that claims and starts, the heartbeat, the wake-ups, and how they start and stop together.

The protocol between nodes is described in ``scheduler.store``. Inside a node::

    listener ──wake──→ loop ──submit──→ thread pool, process pool ──outcome──→ recorder ──→ ledger
                        ↑                                            │
    heartbeat: lease ───┘ (no lease, no start)       room again ─────┘

Each box is one thread (a pool is several) with its own database session; every one is a ``scheduler.loops.Loop``. What
the loop does is listed in ``duties``, one file each. It is the only thread that takes runs, so what the database says
this node owns and what its memory says can be compared between two passes.
"""
