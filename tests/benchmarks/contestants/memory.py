"""APScheduler in memory: nothing is stored at all. The ceiling."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.contestants import apscheduling


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    return apscheduling.throughput(_scheduler(threads), jobs=jobs)


def lateness(*, rate: int, seconds: int, threads: int) -> dict[str, Any]:
    return apscheduling.lateness(_scheduler(threads), rate=rate, seconds=seconds)


def idle(*, jobs: int, threads: int) -> dict[str, Any]:
    return apscheduling.idle(lambda kind: _scheduler(threads, kind), jobs=jobs)


def _scheduler(threads: int, kind: type | None = None) -> Any:
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler

    return (kind or BackgroundScheduler)(executors={"default": ThreadPoolExecutor(threads)})
