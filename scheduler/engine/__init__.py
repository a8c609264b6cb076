"""
One node: the loop of duties that claims and starts, the heartbeat, the wake-ups, and the start and stop of all
together.

The protocol between nodes is described in ``scheduler.store``. Inside a node::

    listener ──wake──→ loop ──submit──→ thread pool, process pool ──outcome──→ recorder ──→ ledger
                        ↑                                            │
    heartbeat: lease ───┘ (no lease, no start)       room again ─────┘

Each box is one thread (a pool is several) with its own database session, and a ``scheduler.loops.Loop``. The duties of
the loop are in ``duties``, one file each. The loop is the only thread that takes runs, so that the runs of this node in
the database and in its memory can be compared between two passes.
"""
