"""The job that everybody runs, and how APScheduler's schedulers are measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

PATIENCE_SECONDS = 600.0


def nothing() -> None:
    """Do nothing."""


def measure(scheduler: Any, *, jobs: int, recorded: Callable[[], int] | None = None) -> dict[str, Any]:
    """
    Add the jobs to a scheduler of APScheduler that is paused, let it go, and wait until all have run.

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
