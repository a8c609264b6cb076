"""
A million jobs: ``python -m tests.benchmarks.many_jobs [--jobs 1000000] [--due 60000] [--json FILE]``.

Writes the jobs with SQL, 5 % of them paused, 2 % finished and 0.1 % failing, in 20 tags, and runs of three days. Then
it measures the start of a node and what it does while no job is due, pages of the admin and of the API, edits that make
a job due, many jobs due at one instant on two nodes, jobs that are created, and export and import with their memory.
Triggers are off while the jobs are written: they have no history. Pages are requested by Django's client in this
process, without the network.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks import due_together, moving, pages, scratch
from tests.benchmarks.contestants import edits
from tests.benchmarks.contestants.work import memory_mb

JOBS = "/admin/scheduler/job/"
API = "/api/v1/scheduler/"
PAGES = {
    "jobs": JOBS,
    "jobs, live region": f"{JOBS}?part=live",
    "jobs, page 20": f"{JOBS}?p=20",
    "jobs by next run": f"{JOBS}?o=4",
    "failing jobs": f"{JOBS}?condition=failing",
    "paused jobs": f"{JOBS}?condition=paused",
    "jobs of a tag": f"{JOBS}?tag=team-7",
    "search that finds one": f"{JOBS}?q=customer+{{one}}",
    "search that finds a fifth": f"{JOBS}?q=import",
    "search that finds nothing": f"{JOBS}?q=no+such+job",
    "dashboard": f"{JOBS}dashboard/",
    "a job": f"{JOBS}job-77/show/",
    "the form of a job": f"{JOBS}job-77/change/",
    "health": "/admin/scheduler/node/health/",
    "API: jobs": f"{API}jobs",
    "API: jobs by next run": f"{API}jobs?order=next_run_time",
    "API: search that finds one": f"{API}jobs?q=customer+{{one}}",
    "API: status": f"{API}status",
    "metrics": "/metrics",
}
GOAL_MS = 300
_WATCHED_SECONDS = 10.0
_CREATED, _TOGETHER = 20_000, 1000
_EDITED = 200
_NODES, _THREADS = 2, 6


def fill(*, jobs: int, runs: int) -> None:
    """Write jobs of which none is due before tomorrow, and their runs of the last three days."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET session_replication_role = replica")
        cursor.execute(
            """
            INSERT INTO django_apscheduler_djangojob (id, next_run_time, job_state)
            SELECT 'job-' || n,
                   CASE WHEN n %% 20 <> 0 AND n %% 50 <> 1
                        THEN now() + interval '1 day' + n * interval '10 milliseconds' END, ''
              FROM generate_series(1, %s) AS n
            """,
            [jobs],
        )
        cursor.execute(
            """
            INSERT INTO scheduler_job (
                   djangojob_ptr_id, name, tags, task, trigger, executor, priority, coalesce, max_instances,
                   misfire_grace_time, rerun_if_interrupted, state, state_changed_at, needs_inspection,
                   consecutive_failures)
            SELECT 'job-' || n,
                   (ARRAY['Report', 'Import', 'Mail', 'Export', 'Scrape'])[n %% 5 + 1] || ' of customer ' || n,
                   ARRAY['team-' || n %% 20], 'benchmarks.nothing',
                   '{"type": "cron", "expression": "*/15 * * * *", "timezone": "UTC"}', 'default', 0, true, 1, 300,
                   false, CASE WHEN n %% 20 = 0 THEN 'paused' WHEN n %% 50 = 1 THEN 'finished' ELSE 'active' END,
                   now() - n * interval '1 second', false, CASE WHEN n %% 1000 = 7 THEN 3 ELSE 0 END
              FROM generate_series(1, %s) AS n
            """,
            [jobs],
        )
        cursor.execute(
            """
            INSERT INTO scheduler_run (
                   job_id, job_key, job_name, task, args, kwargs, scheduled_at, due_at, kind, attempt, state, reason,
                   executor, priority, held, coalesced, requested_by, created_at, started_at, finished_at, log, error,
                   traceback)
            SELECT 'job-' || n %% %(jobs)s + 1, 'job-' || n %% %(jobs)s + 1, 'bench', 'benchmarks.nothing', '[]', '{}',
                   at, at, 'scheduled', 1, CASE WHEN n %% 20 = 0 THEN 'failed' ELSE 'succeeded' END, '', 'default', 0,
                   false, 0, '', at, at, at + interval '1 second', 'A line.',
                   CASE WHEN n %% 20 = 0 THEN 'ValueError: no' END, ''
              FROM (SELECT n, now() - interval '3 days' + n * (interval '3 days' / %(runs)s) AS at
                      FROM generate_series(1, %(runs)s) AS n) AS each
            """,
            {"jobs": jobs, "runs": runs},
        )
        cursor.execute(
            """
            INSERT INTO scheduler_rollup (job_key, hour, succeeded, failed, timed_out, cancelled, interrupted, missed,
                   skipped, run_seconds, last_finished_at)
            SELECT job_key, date_trunc('hour', finished_at), count(*) FILTER (WHERE state = 'succeeded'),
                   count(*) FILTER (WHERE state = 'failed'), 0, 0, 0, 0, 0, count(*), max(finished_at)
              FROM scheduler_run GROUP BY 1, 2 ORDER BY 2, 1
            """
        )
        cursor.execute("RESET session_replication_role")
        cursor.execute("VACUUM ANALYZE")
    print("Written.", flush=True)


def idle(*, threads: int = 5) -> dict[str, float]:
    """Start a node and let it look at jobs of which none is due."""
    began = time.perf_counter()
    node = scratch.node(threads=threads)
    node.start()
    pause = node.run_once()
    started = time.perf_counter() - began
    busy, began = time.process_time(), time.perf_counter()
    while (elapsed := time.perf_counter() - began) < _WATCHED_SECONDS:
        node.wakeups.sleep(timeout=min(pause, _WATCHED_SECONDS - elapsed))
        pause = node.run_once()
    share = (time.process_time() - busy) / (time.perf_counter() - began)
    found = {"start seconds": round(started, 2), "idle percent of a core": round(100 * share, 2), "mb": memory_mb()}
    node.stop(grace_seconds=1)
    return found


def pages_of_the_admin(*, jobs: int, times: int) -> dict[str, dict[str, float]]:
    client = pages.administrator()
    found = {}
    for name, address in PAGES.items():
        began = time.perf_counter()
        client.get(address.format(one=jobs // 2))
        first = time.perf_counter() - began
        measured = pages.measure(client, address.format(one=jobs // 2), times=times)
        found[name] = {
            "first ms": round(1000 * first, 1),
            "median ms": measured.median_ms,
            "p95 ms": measured.p95_ms,
            "queries": measured.queries,
        }
        assert measured.status == 200, address
        print(name, found[name], flush=True)
    return found


def creation() -> dict[str, float]:
    """Create jobs in transactions of a thousand."""
    from django.db import transaction

    from scheduler.services.jobs import creation

    trigger = {"type": "cron", "expression": "*/15 * * * *", "timezone": "UTC"}
    began = time.perf_counter()
    for start in range(0, _CREATED, _TOGETHER):
        definitions = {
            f"new-{n}": {"task": "benchmarks.nothing", "trigger": trigger, "name": f"New {n}", "tags": ["new"]}
            for n in range(start, start + _TOGETHER)
        }
        with transaction.atomic():
            done = creation.create_many(definitions=definitions)
        assert not [each for each in done if each.error]
    created = _CREATED / (time.perf_counter() - began)
    return {"created a second": round(created)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=2_000_000)
    parser.add_argument("--times", type=int, default=9, help="How often each page is requested.")
    parser.add_argument("--due", type=int, default=60_000, help="Jobs due at one instant on two nodes.")
    parser.add_argument("--imported", type=int, nargs="*", default=[100_000, 400_000], help="Sizes of files.")
    parser.add_argument("--fill", action="store_true", help="Only write the jobs, and keep the database for --filled.")
    parser.add_argument("--filled", action="store_true", help="Measure what --fill wrote.")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.fill:
        with scratch.database(keep=True):
            fill(jobs=options.jobs, runs=options.runs)
        return
    with scratch.attached() if options.filled else scratch.database():
        if not options.filled:
            fill(jobs=options.jobs, runs=options.runs)
        figures: dict[str, Any] = {"node": idle(), "pages": pages_of_the_admin(jobs=options.jobs, times=options.times)}
        step = options.jobs // _EDITED
        # One that is paused, finished or failing is none of these.
        figures["edits, ms"] = edits.measure(ids=[f"job-{n * step + 3}" for n in range(_EDITED)], threads=_THREADS)
        print(figures["edits, ms"], flush=True)
        figures["due together"] = due_together.measure(jobs=options.due, nodes=_NODES, threads=_THREADS)
        print(figures["due together"], flush=True)
        figures["creation"] = creation()
        print(figures["creation"], flush=True)
        figures["moving"] = moving.measure(sizes=tuple(options.imported))
        facts = {**_facts(options), **figures}
    print(json.dumps(facts, indent=2))
    if options.json:
        options.json.write_text(json.dumps(facts, indent=2) + "\n")


def _facts(options: argparse.Namespace) -> dict[str, Any]:
    from django.db import connection

    sizes = " ".join(map(str, options.imported))
    words = (
        f"--jobs {options.jobs} --runs {options.runs} --times {options.times} --due {options.due} --imported {sizes}"
    )
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    server = connection.cursor()
    server.execute("SHOW server_version")
    return {
        "command": f"python -m tests.benchmarks.many_jobs {words}",
        "at": f"{datetime.now(tz=UTC):%Y-%m-%d}",
        "commit": commit.stdout.strip(),
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "versions": {"django": version("django"), "postgresql": server.fetchone()[0]},
        "load": [round(each, 2) for each in os.getloadavg()],
        "goal of pages, ms": GOAL_MS,
    }


if __name__ == "__main__":
    main()
