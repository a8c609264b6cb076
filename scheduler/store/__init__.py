"""
PostgreSQL: the only place with hand-written SQL, and the protocol between nodes.

A job is due when ``django_apscheduler_djangojob.next_run_time`` has passed on the database's clock. Nodes are equals:

1. **Claim** (``claiming.claims``). One transaction locks due jobs that no other node holds (``SKIP LOCKED``), inserts a
   row of the ledger for every fire time up to now, and moves ``next_run_time``. ``UNIQUE (job, scheduled_at, attempt)``
   makes "once per fire time" a fact of the database. Executors get runs only after the commit.
2. **Take** (``recording.runs.take``). A node owns as many queued runs as it has room for. The others wait without a
   node.
3. **Start gate** (``recording.runs.start``). ``queued → running`` just before the body runs, guarded by the owner. So a
   queued run has not begun, and can always be handed on.
4. **Record** (``recording.finishing.finish``). ``→ succeeded | failed | …`` in groups, guarded by the owner: late
   outcomes of a node that was marked lost are dropped.
5. **Beat and reap** (``liveness.nodes``). A node that is silent for too long is marked lost: its queued runs go back,
   its running ones become ``interrupted`` and, where the job says so, get a recovery attempt. A pacemaker beats for a
   node whose interpreter stands still (``liveness.deputies``).

The id of a node is new at each start and after it was marked lost. Within one id a run is taken again only after it was
given back unbegun. So the run and the id of its node name one taking, and guard steps 3 and 4.

::

                     take              start              finish
    (claim) → queued ────→ queued+node ────→ running ────────────→ succeeded | failed | timed_out | cancelled
       │        ↑              │                │
       │        └── give back ─┘ ←── reap ──────┴── reap ────────→ interrupted (→ a recovery attempt, queued)
       └→ missed | skipped (born finished)

A claim and the services lock the row of ``django_apscheduler_djangojob`` before they touch ``scheduler_job``. Every
statement on owned rows names the owner and returns the rows that it changed, which the caller compares.
"""
