"""This scheduler with a ledger of ``jobs`` rows: what a run costs as history grows."""

from __future__ import annotations

from typing import Any

from tests.benchmarks import scratch, throughput

_RUNS = 3000


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    rates: list[float] = []
    original = scratch.empty

    def fill() -> None:
        original()
        _fill(jobs)

    with scratch.database():
        scratch.empty = fill
        try:
            rates += [_measure(threads) for _ in range(2)]
        finally:
            scratch.empty = original
    return {"history": jobs, "runs_per_second": round(max(rates), 1)}


def _measure(threads: int) -> float:
    """Count only new runs: those of history have other states."""
    return throughput.measure("benchmarks.nothing", _RUNS, threads)


def _fill(rows: int) -> None:
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
              FROM generate_series(1, %s) AS n, LATERAL (SELECT now() - n * interval '1 second' AS at) AS at
            """,
            [rows],
        )
        cursor.execute("VACUUM ANALYZE scheduler_run")
        cursor.execute("CHECKPOINT")
