"""
Remote executors: bodies run on workers outside of nodes, and a broker is only the doorbell.

A run with the executor ``celery:scrape`` is planned, counted and queued like any other. The broker carries
``{"run": …, "attempt": …, "ring": …}``: no arguments, no secrets, no results. The ledger decides:

1. A node stamps waiting runs (``rung_at``, ``rings``), commits, and then sends one message for each (``ringing``).
2. A worker that gets one asks the start gate for this run and attempt (``taking``). One of them gets it, the others
   drop their message. So messages may be doubled, late or forged.
3. From there on the worker owns the run as a node does: the same runner, recorder, fence, heartbeat and reaper.
4. A run that still waits after a while is rung again, so that messages may be lost as well.

A kind of remote executor is an entry in ``executors.KINDS`` and an adapter in ``scheduler.contrib``, which is imported
when it is first used.
"""
