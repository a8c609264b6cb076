"""Celery without its beat: the messages are in Valkey or Redis already, a worker with threads empties the queue."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.contestants import celery_worker


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    with celery_worker.broker():
        from tests.benchmarks.contestants.celery_app import nothing

        for _ in range(jobs):
            nothing.delay()
        worker = celery_worker.start("worker", "--pool", "threads", "--concurrency", str(threads))
        return celery_worker.measure(jobs=jobs, processes=[worker])
