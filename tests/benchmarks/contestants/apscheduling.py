"""How APScheduler's schedulers are measured, whatever their job store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.benchmarks.contestants.work import PATIENCE_SECONDS, WARM_UP_SECONDS, memory_mb, nothing, percentiles

PERIOD_SECONDS = 10
IDLE_SECONDS = 5.0


def throughput(scheduler: Any, *, jobs: int, recorded: Callable[[], int] | None = None) -> dict[str, Any]:
    """
    Add the jobs to a scheduler that is paused, let it go, and wait until all have run.

    ``recorded`` counts what the history knows; without it there is no history to wait for.
    """
    from apscheduler.events import EVENT_JOB_EXECUTED

    over = threading.Event()
    count = 0

    def executed(_event: object) -> None:
        nonlocal count
        count += 1
        if count >= jobs:
            over.set()

    scheduler.add_listener(executed, EVENT_JOB_EXECUTED)
    scheduler.start(paused=True)
    now = datetime.now(UTC)
    for number in range(jobs):
        scheduler.add_job(
            nothing, "interval", hours=1, id=f"bench-{number}", next_run_time=now, misfire_grace_time=None
        )
    began = time.perf_counter()
    scheduler.resume()
    over.wait(PATIENCE_SECONDS)
    pause = threading.Event()
    while recorded is not None and recorded() < jobs and time.perf_counter() - began < PATIENCE_SECONDS:
        pause.wait(0.05)
    seconds = time.perf_counter() - began
    scheduler.shutdown()
    return {"jobs": count, "seconds": round(seconds, 3), "runs_per_second": round(count / seconds, 1)}


def lateness(scheduler: Any, *, rate: int, seconds: int) -> dict[str, Any]:
    """
    Let jobs fire at a steady rate and say how long after its fire time each body was over, which does nothing.

    To be called before other listeners are added: what they do would count otherwise.
    """
    from apscheduler.events import EVENT_JOB_EXECUTED

    late: list[tuple[datetime, float]] = []

    def executed(event: Any) -> None:
        fired_at = event.scheduled_run_time
        late.append((fired_at, (datetime.now(UTC) - fired_at).total_seconds() * 1000))

    scheduler.add_listener(executed, EVENT_JOB_EXECUTED)
    scheduler.start(paused=True)
    began = datetime.now(UTC)
    _add(scheduler, count=rate * PERIOD_SECONDS, first=began + timedelta(hours=1), seconds=PERIOD_SECONDS)
    # To change them takes as long as to add them; the scheduler goes on before the first is due.
    begins_at = datetime.now(UTC) + 1.5 * (datetime.now(UTC) - began) + timedelta(seconds=1)
    for number, job in enumerate(scheduler.get_jobs()):
        job.modify(next_run_time=begins_at + timedelta(seconds=number / rate))
    scheduler.resume()
    counted_from = begins_at + timedelta(seconds=WARM_UP_SECONDS)
    counted_to = counted_from + timedelta(seconds=seconds)
    threading.Event().wait((counted_to - datetime.now(UTC)).total_seconds() + 1)
    counted = [milliseconds for fired_at, milliseconds in late if counted_from <= fired_at < counted_to]
    scheduler.shutdown(wait=False)
    return percentiles(counted, expected=rate * seconds)


def idle(scheduler_of: Callable[[type], Any], *, jobs: int) -> dict[str, Any]:
    """Start on a store with jobs of which none is due: how long until the first look at them is over, and after."""
    from apscheduler.schedulers.background import BackgroundScheduler

    class Watched(BackgroundScheduler):  # type: ignore[misc] # APScheduler has no types
        def _process_jobs(self) -> Any:
            pause = super()._process_jobs()
            if self.running:
                looked.set()
            return pause

    looked = threading.Event()
    scheduler = scheduler_of(Watched)
    scheduler.start(paused=True)
    _add(scheduler, count=jobs, first=datetime.now(UTC) + timedelta(days=1), seconds=86_400)
    if scheduler._jobstores["default"].__class__.__name__ != "MemoryJobStore":
        scheduler.shutdown()
        scheduler = scheduler_of(Watched)
    looked.clear()
    began = time.perf_counter()
    if scheduler.running:
        scheduler.resume()
    else:
        scheduler.start()
    looked.wait(PATIENCE_SECONDS)
    started = time.perf_counter() - began
    cpu, began = time.process_time(), time.perf_counter()
    threading.Event().wait(IDLE_SECONDS)
    share = (time.process_time() - cpu) / (time.perf_counter() - began)
    resident = memory_mb()
    scheduler.shutdown()
    return {
        "jobs": jobs,
        "start_seconds": round(started, 3),
        "idle_cpu_percent": round(100 * share, 2),
        "idle_rss_mb": resident,
    }


def _add(scheduler: Any, *, count: int, first: datetime, seconds: int) -> None:
    for number in range(count):
        scheduler.add_job(
            nothing,
            "interval",
            seconds=seconds,
            id=f"bench-{number}",
            next_run_time=first,
            misfire_grace_time=None,
        )
