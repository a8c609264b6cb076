"""Contestants that have jobs with fire times: this scheduler's, and stock django-apscheduler's."""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.benchmarks.contestants.work import nothing
from tests.benchmarks.enqueueing import body
from tests.benchmarks.enqueueing.contestant import OnDjango

EVERY_SECONDS = 10
"""Each job is due so often: there are ten jobs for each run a second."""


class Scheduled(OnDjango):
    """Its load are its jobs. ``first_due`` is when the first of them is due."""

    first_due: float

    def schedule(self, rate: int) -> None:
        """Create the jobs, or let the worker do so."""
        raise NotImplementedError

    def enqueue_many(self, count: int, at: float = 0.0) -> None:
        raise NotImplementedError("Its load are its jobs.")


class OurJobs(Scheduled):
    name = "ours_jobs"
    table = "scheduler_run"

    def schedule(self, rate: int) -> None:
        from tests.benchmarks import scratch

        scratch.add_jobs(
            task="benchmarks.begin_when_due",
            count=rate * EVERY_SECONDS,
            trigger=f'{{"type": "interval", "seconds": {EVERY_SECONDS}}}',
            spread=EVERY_SECONDS,
            ahead=_LEAD_SECONDS,
        )
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM min(next_run_time))::float8 FROM django_apscheduler_djangojob")
            (self.first_due,) = cursor.fetchone()

    def commands(self) -> list[list[str]]:
        return [self.command("runscheduler", "--no-alerts")]


class Stock(Scheduled):
    """django-apscheduler with its job store and its history of executions, in one process with threads."""

    name = "stock"
    table = "django_apscheduler_djangojobexecution"

    def schedule(self, rate: int) -> None:
        self._count = rate * EVERY_SECONDS
        self.first_due = time.time() + _LEAD_SECONDS + self._count / _ADDED_A_SECOND

    def commands(self) -> list[list[str]]:
        numbers = (self._count, self.first_due, self.workers)
        return [[sys.executable, "-m", "tests.benchmarks.horizons.scheduled", *map(str, numbers)]]


_LEAD_SECONDS = 15
_ADDED_A_SECOND = 500


def _work(count: int, first_due: float, threads: int) -> None:
    """Be the process of stock django-apscheduler."""
    import django

    django.setup()
    from apscheduler.events import EVENT_JOB_EXECUTED
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler
    from django.db import transaction
    from django_apscheduler.jobstores import DjangoJobStore

    def executed(event: Any) -> None:
        body.begin(event.scheduled_run_time.timestamp())

    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(threads)})
    scheduler.add_jobstore(DjangoJobStore(), "default")
    scheduler.add_listener(executed, EVENT_JOB_EXECUTED)
    scheduler.start(paused=True)
    with transaction.atomic():
        for number in range(count):
            at = datetime.fromtimestamp(first_due, UTC) + timedelta(seconds=number * EVERY_SECONDS / count)
            options = {"next_run_time": at, "misfire_grace_time": None, "id": f"bench-{number}"}
            scheduler.add_job(nothing, "interval", seconds=EVERY_SECONDS, **options)
    scheduler.resume()
    threading.Event().wait()


if __name__ == "__main__":
    _work(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
