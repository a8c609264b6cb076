"""Plain Celery: beat with django-celery-beat, a worker with threads, results in django-celery-results."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.benchmarks.celery.surroundings import (
    PUNCTUAL_JOBS,
    THREADS,
    lateness_at_a_full_minute,
    wal_bytes_since,
    wal_position,
)


def throughput(jobs: int) -> dict[str, Any]:
    """Let so many periodic tasks be due at once."""
    from tests.benchmarks.contestants import celery_worker

    celery_worker.add(jobs, last_run_at=datetime(2020, 1, 1, tzinfo=UTC))
    before = wal_position()
    worker = celery_worker.start("worker", "--pool", "threads", "--concurrency", str(THREADS))
    found = celery_worker.measure(jobs=jobs, processes=[celery_worker.start(*celery_worker.BEAT), worker])
    return {**found, "wal_bytes_per_run": round(wal_bytes_since(before) / jobs)}


def lateness(jobs: int) -> dict[str, Any]:
    """Let periodic tasks be due at a full minute."""
    from tests.benchmarks.contestants import celery_app, celery_worker

    assert celery_app.app
    from django_celery_beat.models import CrontabSchedule, PeriodicTask, PeriodicTasks

    every_minute, _ = CrontabSchedule.objects.get_or_create(minute="*", hour="*")
    PeriodicTask.objects.bulk_create(
        PeriodicTask(name=f"punctual-{number}", task="note", crontab=every_minute) for number in range(PUNCTUAL_JOBS)
    )
    PeriodicTasks.update_changed()
    worker = celery_worker.start("worker", "--pool", "threads", "--concurrency", str(THREADS))
    beat = celery_worker.start(*celery_worker.BEAT)
    try:
        return lateness_at_a_full_minute()
    finally:
        for process in (beat, worker):
            process.terminate()
            process.wait(60)
