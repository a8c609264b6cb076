"""
A worker: a node that runs only what rings name, inside the process of somebody else's queue.

It has the identity, heartbeat, lease, pools, recorder, reaping and pacemaker of any node, and fewer duties: it plans
no jobs and looks for no runs. ``scheduler.remote`` describes the protocol. The reader of the broker calls
``Worker.ring``::

    broker ──ring──→ Rings ──start gate──→ pool ──outcome──→ recorder ──→ ledger
               ↑                 │
               └───answered──────┘ (the message is acknowledged)

A ring stays in ``Rings`` while all places are taken, so that its message stays with the reader of the broker, and other
workers get the next ones.
"""
