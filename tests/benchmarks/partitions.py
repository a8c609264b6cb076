"""
Compare the ledger as one table with one that is partitioned by day: ``python -m tests.benchmarks.partitions``.

For each number of days, a schema of its own gets a partitioned ``scheduler_run`` with the columns and indexes of the
real one, and the same rows. The search path leads the statements of the store there, unchanged. Each is executed in a
transaction that is rolled back, with its text as nodes send it, and as a plan that the session keeps.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks import scratch

NODE = "00000000-0000-4000-8000-000000000001"
FIRST_DAY = "2026-01-01 00:00+00"
NOON = "2026-01-01 12:00+00"
JOBS = "{" + ",".join(f"bench-{n}" for n in range(1, 101)) + "}"
RUNS = "{" + ",".join(str(n) for n in range(1, 101)) + "}"
TIMES = "{" + ",".join([NOON] * 100) + "}"
NUMBERS = "{" + ",".join(["0"] * 100) + "}"

STATEMENTS: dict[str, dict[str, Any]] = {
    "start_runs": {"runs": RUNS, "node": NODE, "now": None},
    "succeed_runs": {"runs": RUNS, "node": NODE, "started_ages": NUMBERS, "finished_ages": NUMBERS, "now": None},
    "count_active_runs": {"jobs": JOBS, "since": NUMBERS},
    "find_covered": {"jobs": JOBS, "firsts": TIMES, "lasts": TIMES},
    "find_waiting_runs": {"executor": "default", "tasks": ["bench"], "limit": 50, "now": None},
    "owned_runs": {"node": NODE, "since": 0},
    "waiting_tracks": {"tasks": ["bench"], "now": None},
}
"""Statements of the path of a fire time that do not know the day of the runs, with 100 runs or jobs."""

QUERIES = {
    "one run by its id": "SELECT * FROM scheduler_run WHERE id = 77",
    "one run by its id and day": "SELECT * FROM scheduler_run WHERE id = 77 AND scheduled_at = %(noon)s",
    "the newest 100 runs": "SELECT id, state FROM scheduler_run ORDER BY id DESC LIMIT 100",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--days", type=int, nargs="*", default=[4, 8, 32])
    parser.add_argument("--times", type=int, default=25, help="How often each statement is executed.")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with scratch.database():
        from django.db import connection

        ledgers = {"one table": "public", **{f"{days} days": f"days_{days}" for days in options.days}}
        with connection.cursor() as cursor:
            fill(cursor, rows=options.rows, days=max(options.days))
            for days in options.days:
                partition(cursor, days=days, rows_over=max(options.days))
            cursor.execute("SHOW server_version")
            (server,) = cursor.fetchone()
            found = {}
            for name, schema in ledgers.items():
                cursor.execute(f"DEALLOCATE ALL; SET search_path TO {schema}, public")
                found[name] = dict(measure(cursor, times=options.times))
    words = f"--rows {options.rows} --days {' '.join(map(str, options.days))} --times {options.times}"
    document = {
        "command": f"python -m tests.benchmarks.partitions {words}",
        "postgresql": server,
        "load": [round(each, 2) for each in os.getloadavg()],
        "ledgers": found,
    }
    print(json.dumps(document, indent=2))
    if options.json:
        options.json.write_text(json.dumps(document, indent=2) + "\n")


def fill(cursor: Any, *, rows: int, days: int) -> None:
    """Write finished runs of so many days."""
    cursor.execute(
        """
        INSERT INTO scheduler_run (
               job_id, job_key, job_name, task, args, kwargs, scheduled_at, due_at, kind, attempt, state, reason,
               executor, priority, held, coalesced, requested_by, created_at, started_at, finished_at, log, traceback)
        SELECT 'bench-' || n %% 1000, 'bench-' || n %% 1000, 'bench', 'bench', '[]', '{}', at, at, 'scheduled', 1,
               'succeeded', '', 'default', 0, false, 0, '', at, at, at, '', ''
          FROM (SELECT n, %(first)s::timestamptz + n * (%(days)s * interval '1 day' / (%(rows)s + 1)) AS at
                  FROM generate_series(1, %(rows)s) AS n) AS each
        """,
        {"rows": rows, "days": days, "first": FIRST_DAY},
    )
    cursor.execute("VACUUM ANALYZE scheduler_run")


def partition(cursor: Any, *, days: int, rows_over: int) -> None:
    """Make a copy of the ledger with so many partitions, over the same time. Unique indexes get the key."""
    schema = f"days_{days}"
    cursor.execute(f"CREATE SCHEMA {schema}")
    table = f"{schema}.scheduler_run"
    cursor.execute(f"CREATE TABLE {table} (LIKE scheduler_run INCLUDING DEFAULTS) PARTITION BY RANGE (scheduled_at)")
    cursor.execute("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'scheduler_run'")
    for (definition,) in cursor.fetchall():
        copied = definition.replace(" ON public.scheduler_run ", f" ON {table} ")
        if "scheduled_at" not in definition:
            copied = copied.replace("CREATE UNIQUE INDEX", "CREATE INDEX")
        cursor.execute(copied)
    for place in range(days):
        cursor.execute(
            f"""
            DO $$ BEGIN EXECUTE format('CREATE TABLE {table}_{place} PARTITION OF {table} FOR VALUES FROM (%L) TO (%L)',
                timestamptz '{FIRST_DAY}' + {place} * interval '1 day' * {rows_over} / {days},
                timestamptz '{FIRST_DAY}' + {place + 1} * interval '1 day' * {rows_over} / {days}); END $$
            """
        )
    cursor.execute(f"INSERT INTO {table} TABLE public.scheduler_run")
    cursor.execute(f"VACUUM ANALYZE {table}")


def measure(cursor: Any, *, times: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the milliseconds of each statement, and the locks that it takes."""
    from scheduler.store import statements

    for name, parameters in STATEMENTS.items():
        parts = statements.planned(name)
        cursor.execute(parts.prepare)
        yield name, _measured(cursor, statements.load(name), parameters, kept=parts.execute, times=times)
    for name, query in QUERIES.items():
        yield name, _measured(cursor, query, {"noon": NOON}, kept="", times=times)


def _measured(cursor: Any, text: str, parameters: Any, *, kept: str, times: int) -> dict[str, float]:
    cursor.execute("BEGIN")
    cursor.execute(text, parameters)
    cursor.fetchall()
    cursor.execute("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'")
    (locks,) = cursor.fetchone()
    cursor.execute("ROLLBACK")
    found = {"ms": _median(cursor, text, parameters, times=times), "locks": locks - 1}  # pg_locks itself
    if kept:
        cursor.execute("SET plan_cache_mode = force_generic_plan")
        found["with a kept plan, ms"] = _median(cursor, kept, parameters, times=times)
    return found


def _median(cursor: Any, text: str, parameters: Any, *, times: int) -> float:
    took = []
    for _ in range(times + 2):
        cursor.execute("BEGIN")
        began = time.perf_counter()
        cursor.execute(text, parameters)
        cursor.fetchall()
        took.append(time.perf_counter() - began)
        cursor.execute("ROLLBACK")
    return round(1000 * statistics.median(took[2:]), 3)


if __name__ == "__main__":
    main()
