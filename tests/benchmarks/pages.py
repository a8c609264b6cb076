"""
How long each page of the admin takes beside 10,000 jobs, 1,000,000 runs and 50,000 queued ones:
``python -m tests.benchmarks.pages``.

Pages are found by following links, one of each kind, and requested by Django's client in this process: what is measured
is the work of the server, without the network. Each is requested once to warm up. Live regions are requested with
the tag of the answer before, as a browser does every five seconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import api, scratch

JOBS = "/admin/scheduler/job/"
RUNS = "/admin/scheduler/run/"
DASHBOARD = "/admin/scheduler/job/dashboard/"

NAMED = (
    DASHBOARD,
    JOBS,
    f"{JOBS}?condition=ok",
    f"{JOBS}?q=bench+9999",
    f"{JOBS}?tag=none",
    f"{JOBS}?o=5",
    RUNS,
    f"{RUNS}?tab=failed",
    f"{RUNS}?tab=queued",
    f"{RUNS}?tab=missed",
    f"{RUNS}?name=bench+77",
    f"{RUNS}?task=none",
    f"{RUNS}?job=bench-77",
    f"{RUNS}?error=no+such+text",
    f"{RUNS}?argument=number%3D77",
    f"{RUNS}?log=no+such+text",
    f"{RUNS}?job=bench-77&log=no+such+text",
    f"{RUNS}?tab=failed&group=error",
    f"{RUNS}?order=slowest",
    f"{RUNS}?kind=retry",
)
"""Pages that are measured in any case, besides those that links lead to."""

GOALS = {DASHBOARD: 0.150, JOBS: 0.300}
"""Seconds that the median may take."""

LIVE = (DASHBOARD, JOBS, RUNS, f"{RUNS}?job=bench-77", "/admin/scheduler/node/health/", f"{JOBS}bench-77/show/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    address: str
    median_ms: float
    p95_ms: float
    queries: int
    bytes: int
    status: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--queued", type=int, default=50_000)
    parser.add_argument("--times", type=int, default=9, help="How often each page is requested.")
    parser.add_argument("--only", nargs="*", metavar="ADDRESS", help="These pages, and not those that links lead to.")
    parser.add_argument("--output", type=Path, help="Write the figures as JSON.")
    options = parser.parse_args()
    with scratch.database():
        api.fill(jobs=options.jobs, runs=options.runs)
        add_backlog(jobs=options.jobs, queued=options.queued)
        client = administrator()
        addresses = options.only or every_page(client)
        pages = []
        print("| page | median | p95 | queries | bytes |\n|---|---:|---:|---:|---:|")
        for address in addresses:
            pages.append(measured := measure(client, address, times=options.times))
            print(_line(measured, address), flush=True)
        print("\n| live region, unchanged | median | p95 | queries | bytes |\n|---|---:|---:|---:|---:|")
        live = []
        for address in LIVE if not options.only else [each for each in LIVE if each in options.only]:
            live.append(measured := measure_live(client, address, times=options.times))
            print(_line(measured, address), flush=True)
    missed = [page.address for page in pages if page.median_ms > 1000 * GOALS.get(page.address, float("inf"))]
    if options.output:
        sizes = {name: getattr(options, name) for name in ("jobs", "runs", "queued", "times")}
        words = " ".join(f"--{name} {size}" for name, size in sizes.items())
        document = {
            "command": f"python -m tests.benchmarks.pages {words}",
            **sizes,
            "pages": list(map(asdict, pages)),
            "live": list(map(asdict, live)),
            "missed": missed,
        }
        options.output.write_text(json.dumps(document, indent=2) + "\n")
    raise SystemExit(f"Slower than their goals: {', '.join(missed)}" if missed else 0)


def add_backlog(*, jobs: int, queued: int) -> None:
    """Queue runs of some jobs, held and not held, and let some jobs be paused, failing or retried."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO scheduler_run (
                   job_id, job_key, job_name, task, args, kwargs, scheduled_at, due_at, kind, attempt, state, reason,
                   executor, priority, held, node, coalesced, requested_by, created_at, log, traceback)
            SELECT 'bench-' || n %% 100 + 1, 'bench-' || n %% 100 + 1, 'bench', 'sample.nothing', '[]',
                   jsonb_build_object('number', n), now() - n * interval '1 hour', now() - n * interval '1 hour',
                   CASE WHEN n %% 50 = 0 THEN 'retry' ELSE 'manual' END, 1, 'queued', '', 'default', -100,
                   n %% 2 = 0, NULL, 0, 'anna', now() - interval '20 minutes', '', ''
              FROM generate_series(1, %(queued)s) AS n
                ON CONFLICT DO NOTHING
            """,
            {"queued": queued},
        )
        cursor.execute(
            "UPDATE scheduler_job SET consecutive_failures = 3 WHERE djangojob_ptr_id IN"
            " (SELECT 'bench-' || n FROM generate_series(1, %s, 50) AS n)",
            [jobs],
        )
        cursor.execute("VACUUM ANALYZE")


def administrator() -> Any:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    settings.ALLOWED_HOSTS = ["testserver"]
    client = Client()
    client.force_login(User.objects.create_superuser("anna"))
    return client


def every_page(client: Any) -> list[str]:
    """Return the pages that are named here, and one of each other kind."""
    from tests.crawling import crawl

    found = crawl(client, start="/admin/scheduler/", most=150)
    others = [address for address, answer in found.items() if answer.status_code == 200 and not answer.streaming]
    return [*NAMED, *(address for address in others if address not in NAMED)]


def measure(client: Any, address: str, *, times: int, **headers: str) -> Measured:
    """Request a page so many times."""
    from django.db import connection

    queries: list[str] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        queries.append(sql)
        return execute(sql, params, many, context)

    headers = {"accept-encoding": "gzip", **headers}
    with connection.execute_wrapper(note):
        answer = client.get(address, headers=headers)
    took = list(_took(client, address, times=times, headers=headers))
    return Measured(
        address=address,
        median_ms=round(1000 * statistics.median(took), 1),
        p95_ms=round(1000 * _p95(took), 1),
        queries=len(queries),
        bytes=0 if answer.streaming else len(answer.content),
        status=answer.status_code,
    )


def measure_live(client: Any, address: str, *, times: int) -> Measured:
    """Request the live region of a page with the tag that it had."""
    part = f"{address}{'&' if '?' in address else '?'}part=live"
    tag = client.get(part, headers={"accept-encoding": "gzip"}).headers["ETag"]
    return measure(client, part, times=times, **{"if-none-match": tag})


def _took(client: Any, address: str, *, times: int, headers: dict[str, str]) -> Iterator[float]:
    for _ in range(times):
        began = time.perf_counter()
        client.get(address, headers=headers)
        yield time.perf_counter() - began


def _p95(took: Sequence[float]) -> float:
    return sorted(took)[max(0, -int(-len(took) * 0.95 // 1) - 1)]


def _line(page: Measured, address: str) -> str:
    goal = f" (goal {1000 * GOALS[address]:.0f})" if address in GOALS else ""
    status = "" if page.status == 200 else f" → {page.status}"
    took = f"{page.median_ms:.0f} ms{goal} | {page.p95_ms:.0f} ms"
    return f"| {address}{status} | {took} | {page.queries} | {page.bytes:,} |"


if __name__ == "__main__":
    main()
