"""
PostgreSQL: the only place with hand-written SQL, and the protocol between nodes.

A job is due when ``django_apscheduler_djangojob.next_run_time`` has passed on the database's clock. Nodes are equals:

1. **Claim** (``claims``). One transaction locks due jobs that no other node holds (``SKIP LOCKED``), inserts a row of
   the ledger for every fire time up to now, and moves ``next_run_time``. ``UNIQUE (job, scheduled_at, attempt)`` makes
   "once per fire time" a fact of the database. Nothing is handed to an executor before the commit.
2. **Take** (``runs.take``). A node owns as many queued runs as it has room for; the others wait without a node.
3. **Start gate** (``runs.start``). ``queued → running`` just before the body runs, guarded by the owner. So a queued
   run has not begun, and can always be handed on.
4. **Record** (``runs.finish``). ``→ succeeded | failed | …`` in groups, guarded by the owner: what a node that was
   taken for dead writes late changes nothing.
5. **Beat and reap** (``nodes``). A node that is silent for too long is marked lost: its queued runs go back, its
   running ones become ``interrupted`` and, where the job says so, get a recovery attempt.

::

                     take              start              finish
    (claim) → queued ────→ queued+node ────→ running ────────────→ succeeded | failed | timed_out | cancelled
       │        ↑              │                │
       │        └── give back ─┘ ←── reap ──────┴── reap ────────→ interrupted (→ a recovery attempt, queued)
       └→ missed | skipped (born finished)

A claim locks the row of ``django_apscheduler_djangojob`` before it touches ``scheduler_job``; so do the services. Every
statement that belongs to an owner names it, and returns the rows that it changed; the caller compares.
"""
