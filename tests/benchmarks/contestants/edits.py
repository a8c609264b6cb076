"""This scheduler with jobs that are edited to be due at once: how long from the commit to the begin of the run."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime
from typing import Any

from tests.benchmarks import scratch
from tests.benchmarks.contestants.work import PATIENCE_SECONDS, percentiles

_LONGEST_PAUSE_SECONDS = 0.1


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    """Edit ``jobs`` jobs, one after the other, at moments that no loop of the node can keep step with."""
    with scratch.database():
        scratch.add_jobs(task="benchmarks.nothing", count=jobs)
        _put_off()
        node = scratch.node(threads=threads)
        node.start()
        over = threading.Event()
        loop = threading.Thread(target=_loop, args=(node, over))
        loop.start()
        pause, moments = threading.Event(), {}
        for number in range(1, jobs + 1):
            pause.wait(random.uniform(0.01, _LONGEST_PAUSE_SECONDS))  # noqa: S311 - it keeps no secret
            moments[f"bench-{number}"] = _edit(f"bench-{number}")
        found = _begun(jobs)
        over.set()
        node.wakeups.wake()
        loop.join()
        node.stop(grace_seconds=1)
    late = [(begun_at - moments[job]).total_seconds() * 1000 for job, begun_at in found.items()]
    return percentiles(late, expected=jobs)


def _put_off() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_apscheduler_djangojob SET next_run_time = next_run_time + interval '1 day'")


def _loop(node: Any, over: threading.Event) -> None:
    while not over.is_set():
        pause = node.run_once()
        if pause > 0:
            node.wakeups.sleep(timeout=pause)


def _edit(job_id: str) -> datetime:
    """Make the job due now, as a person who changes its trigger does; return the moment of the commit."""
    from django.db import transaction

    from scheduler.services import jobs
    from scheduler.store.clock import database_now

    with transaction.atomic():
        now = database_now()
        trigger = {"type": "date", "run_at": now.isoformat()}
        jobs.update(job=jobs.get(id=job_id), trigger=trigger, now=now)
        return datetime.now(UTC)  # the COMMIT itself is part of the time


def _begun(expected: int) -> dict[str, datetime]:
    """Return when the run of each job began."""
    from scheduler.models import Run

    pause = threading.Event()
    runs = Run.objects.filter(started_at__isnull=False)
    for _ in range(int(PATIENCE_SECONDS * 10)):
        if runs.count() >= expected:
            break
        pause.wait(0.1)
    return dict(runs.values_list("job_key", "started_at"))
