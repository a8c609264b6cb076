"""This scheduler with many jobs of which none is due: how long it takes to start, and what it does then."""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks import scratch
from tests.benchmarks.contestants.work import memory_mb

_FAR = 86_400.0
_WATCHED_SECONDS = 10.0


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    from django.db import connection

    with scratch.database():
        scratch.add_jobs(task="benchmarks.nothing", count=jobs)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_apscheduler_djangojob SET next_run_time = next_run_time + interval '1 day'")
            cursor.execute("VACUUM ANALYZE django_apscheduler_djangojob")
        began = time.perf_counter()
        node = scratch.node(threads=threads)
        node.start()
        pause = node.run_once()
        started = time.perf_counter() - began
        cpu, began = time.process_time(), time.perf_counter()
        while (elapsed := time.perf_counter() - began) < _WATCHED_SECONDS:
            node.wakeups.sleep(timeout=min(pause, _WATCHED_SECONDS - elapsed))
            pause = node.run_once()
        share = (time.process_time() - cpu) / (time.perf_counter() - began)
        resident = memory_mb()
        node.stop(grace_seconds=1)
    return {
        "jobs": jobs,
        "start_seconds": round(started, 3),
        "idle_cpu_percent": round(100 * share, 2),
        "idle_rss_mb": resident,
    }
