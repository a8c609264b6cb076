"""
How fast the API answers with 10,000 jobs and 1,000,000 runs: ``python -m tests.benchmarks.api``.

Gunicorn with two processes and four clients, on the machine at hand; prints the median and the 95th percentile.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.benchmarks import scratch
from tests.postgres import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
PATHS = (
    "/api/v1/scheduler/health/live",
    "/api/v1/scheduler/health",
    "/api/v1/scheduler/status",
    "/api/v1/scheduler/metrics",
    "/api/v1/scheduler/metrics?bucket=hour&limit=200",
    "/metrics",
    "/api/v1/scheduler/jobs",
    "/api/v1/scheduler/jobs?order=next_run_time",
    "/api/v1/scheduler/jobs?last_outcome=failed",
    "/api/v1/scheduler/jobs?q=9999",
    "/api/v1/scheduler/jobs/bench-77",
    "/api/v1/scheduler/runs",
    "/api/v1/scheduler/runs?state=failed,timed_out,interrupted",
    "/api/v1/scheduler/runs?state=cancelled",
    "/api/v1/scheduler/runs?job=bench-77",
    "/api/v1/scheduler/jobs/bench-77/runs",
    "DEEP",
)


def fill(*, jobs: int, runs: int) -> None:
    """Write jobs, their history over thirty days, and what is kept of it in roll-ups and counters."""
    from django.db import connection

    from scheduler.core.buckets import LAG_SECONDS, RUN_SECONDS

    scratch.add_jobs(task="sample.nothing", count=jobs, spread=3600.0)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_apscheduler_djangojob SET next_run_time = next_run_time + interval '1 hour'")
        cursor.execute(
            """
            INSERT INTO scheduler_run (
                   job_id, job_key, job_name, task, args, kwargs, scheduled_at, due_at, kind, attempt, state, reason,
                   executor, priority, held, node, coalesced, requested_by, created_at, started_at, finished_at,
                   log, error, traceback)
            SELECT 'bench-' || n %% %(jobs)s + 1, 'bench-' || n %% %(jobs)s + 1, 'bench', 'sample.nothing', '[]', '{}',
                   at, at, 'scheduled', 1, CASE WHEN n %% 20 = 0 THEN 'failed' ELSE 'succeeded' END, '', 'default', 0,
                   false, NULL, 0, '', at, at, at + interval '1 second', repeat('A line. ', 20),
                   CASE WHEN n %% 20 = 0 THEN 'ValueError: no' END, ''
              FROM (SELECT n, now() - interval '30 days' + n * (interval '30 days' / %(runs)s) AS at
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
        cursor.execute(
            """
            INSERT INTO scheduler_counter (node, task, state, runs, run_seconds, run_buckets, lag_seconds, lag_buckets)
            SELECT gen_random_uuid(), 'task.' || task, state, 1000, 10, array_fill(10::bigint, ARRAY[%s]), 1,
                   array_fill(10::bigint, ARRAY[%s])
              FROM generate_series(1, 20) AS task, unnest(ARRAY['succeeded', 'failed', 'missed']) AS state,
                   generate_series(1, 10) AS node
            """,
            [len(RUN_SECONDS) + 1, len(LAG_SECONDS) + 1],
        )
        cursor.execute(
            """
            INSERT INTO scheduler_node (id, name, host, pid, version, executors, tasks, state, reason, started_at,
                   heartbeat_at)
            SELECT gen_random_uuid(), 'n' || n, 'h', n, '1', '{"default": 5}', '[]', 'running', '', now(),
                   now() + interval '1 day'
              FROM generate_series(1, 4) AS n
            """
        )
        cursor.execute("VACUUM ANALYZE")


def token() -> str:
    from datetime import timedelta

    from django.contrib.auth.models import User
    from knox.models import AuthToken

    _, text = AuthToken.objects.create(
        user=User.objects.create_user("bench", is_superuser=True), expiry=timedelta(hours=1)
    )
    return str(text)


def deep_page(port: int, key: str) -> str:
    """Return the address of a page some 20,000 runs down."""
    import json

    path = "/api/v1/scheduler/runs?limit=200"
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(100):
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        path = json.loads(connection.getresponse().read())["next"].partition(f":{port}")[2]
    return path


def measure(*, port: int, path: str, key: str, clients: int, seconds: float) -> tuple[list[float], float]:
    """Ask with so many clients at once; return how long each answer took, and answers per second."""
    took: list[float] = []
    refused: list[int] = []
    until = time.monotonic() + seconds

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while time.monotonic() < until:
            began = time.monotonic()
            connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                refused.append(answer.status)
                return
            took.append(time.monotonic() - began)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused:
        raise SystemExit(f"{path} was answered with {refused}.")
    return took, len(took) / (time.monotonic() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    with scratch.database():
        from django.db import connection

        fill(jobs=options.jobs, runs=options.runs)
        key, port = token(), free_port()
        settings = connection.settings_dict
        variables = {
            **os.environ,
            "DATABASE_URL": f"postgresql:///{settings['NAME']}?host={settings['HOST']}&user={settings['USER']}",
            "SECRET_KEY": "only for measuring",
            "SCHEDULER_API_READS_PER_MINUTE": "0",
        }
        web = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "--config", "python:openlearn.gunicorn", "openlearn.wsgi"),
                *("--bind", f"127.0.0.1:{port}", "--workers", "2"),
            ],
            cwd=CHECKOUT,
            env=variables,
        )
        try:
            _await(port)
            print("| address | p50 | p95 | requests/s |\n|---|---|---|---|")
            for path in PATHS:
                shown = path
                if path == "DEEP":
                    path, shown = deep_page(port, key), "`/runs`, 20,000 rows down, 200 rows"
                took, rate = measure(port=port, path=path, key=key, clients=options.clients, seconds=options.seconds)
                points = statistics.quantiles(took, n=20)
                name = shown.removeprefix("/api/v1/scheduler") if path == shown else shown
                print(f"| {name} | {points[9] * 1000:.0f} ms | {points[18] * 1000:.0f} ms | {rate:.0f} |", flush=True)
        finally:
            web.terminate()
            web.wait(20)


def _await(port: int) -> None:
    from tests.waiting import wait_until

    def answers() -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/api/v1/scheduler/health/live")
            return connection.getresponse().status == 200
        except OSError:
            return False

    wait_until(answers, 60)


if __name__ == "__main__":
    main()
