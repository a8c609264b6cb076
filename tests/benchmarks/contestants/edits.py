"""This scheduler with jobs that are edited to be due at once: how long from the commit to the begin of the run."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.benchmarks import scratch
from tests.benchmarks.contestants.work import PATIENCE_SECONDS, percentiles

_LONGEST_PAUSE_SECONDS = 0.1


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    """Edit ``jobs`` jobs that are the only ones."""
    with scratch.database():
        scratch.add_jobs(task="benchmarks.nothing", count=jobs)
        _put_off()
        return measure(ids=[f"bench-{number}" for number in range(1, jobs + 1)], threads=threads)


def measure(*, ids: Sequence[str], threads: int) -> dict[str, Any]:
    """Edit these jobs, one after the other, at moments that no loop of the node can keep step with."""
    node = scratch.node(threads=threads)
    node.start()
    over = threading.Event()
    loop = threading.Thread(target=_loop, args=(node, over))
    loop.start()
    pause, moments = threading.Event(), {}
    for id in ids:
        pause.wait(random.uniform(0.01, _LONGEST_PAUSE_SECONDS))  # noqa: S311 - it keeps no secret
        moments[id] = _edit(id)
    found = _begun(ids, since=min(moments.values()) - timedelta(minutes=1))
    over.set()
    node.wakeups.wake()
    loop.join()
    node.stop(grace_seconds=1)
    late = [(begun_at - moments[job]).total_seconds() * 1000 for job, begun_at in found.items()]
    return percentiles(late, expected=len(ids))


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


def _begun(ids: Sequence[str], *, since: datetime) -> dict[str, datetime]:
    """Return when the run of each of these jobs began."""
    from scheduler.models import Run

    pause = threading.Event()
    runs = Run.objects.filter(job__in=ids, scheduled_at__gte=since, started_at__isnull=False)
    for _ in range(int(PATIENCE_SECONDS * 10)):
        if runs.count() >= len(ids):
            break
        pause.wait(0.1)
    return dict(runs.values_list("job_key", "started_at"))
