"""This scheduler with a ledger of ``jobs`` rows: what a run costs as history grows."""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks import scratch

_RUNS = 3000


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    with scratch.database():
        scratch.empty()
        fill(jobs)
        rates = [_measure(threads) for _ in range(3)]
    return {"history": jobs, "runs_per_second": round(max(rates), 1)}


def _measure(threads: int) -> float:
    """Run as ``throughput`` does, and look at the new rows only."""
    from django.db import connection

    from scheduler.models import Job, Run

    Job.objects.all().delete()
    newest = Run.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    scratch.add_jobs(task="benchmarks.nothing", count=_RUNS)
    mine = Run.objects.filter(pk__gt=newest, state="succeeded")
    node = scratch.node(threads=threads)
    node.start()
    while mine.count() < _RUNS:
        deadline = time.perf_counter() + 0.05
        while time.perf_counter() < deadline:
            pause = node.run_once()
            if pause > 0:
                node.wakeups.sleep(timeout=min(pause, 0.01))
    node.stop(grace_seconds=1)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM max(finished_at) - min(created_at))::float8 FROM scheduler_run WHERE id > %s",
            [newest],
        )
        return _RUNS / float(cursor.fetchone()[0])


def fill(rows: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO scheduler_run (
                   job_id, job_key, job_name, task, args, kwargs, scheduled_at, due_at, kind, attempt, state, reason,
                   executor, priority, held, coalesced, requested_by, created_at, started_at, finished_at, traceback,
                   log)
            SELECT 'old-' || n %% 1000, 'old-' || n %% 1000, 'old', 'benchmarks.nothing', '[]', '{}', at.at, at.at,
                   'scheduled', 1, 'failed', '', 'default', 0, false, 0, '', at.at, at.at, at.at, '', ''
              FROM generate_series(%s, 1, -1) AS n, LATERAL (SELECT now() - n * interval '1 second' AS at) AS at
            """,
            [rows],
        )
        cursor.execute("VACUUM ANALYZE scheduler_run")
        cursor.execute("CHECKPOINT")
