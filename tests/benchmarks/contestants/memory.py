"""APScheduler in memory: nothing is stored at all. The ceiling."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.contestants import work


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler

    return work.measure(BackgroundScheduler(executors={"default": ThreadPoolExecutor(threads)}), jobs=jobs)
