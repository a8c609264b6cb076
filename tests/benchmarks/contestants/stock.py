"""django-apscheduler as its documentation sets it up: its job store, and its history of executions."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.contestants import apscheduling, plain_django


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    scheduler = _scheduler(threads)
    from django_apscheduler.models import DjangoJobExecution

    _keep_history(scheduler)
    executed = DjangoJobExecution.objects.filter(status=DjangoJobExecution.SUCCESS)
    return apscheduling.throughput(scheduler, jobs=jobs, recorded=executed.count)


def lateness(*, rate: int, seconds: int, threads: int) -> dict[str, Any]:
    scheduler = _scheduler(threads)
    original = scheduler.start

    def start(**options: Any) -> None:
        _keep_history(scheduler)  # after the listener that measures
        original(**options)

    scheduler.start = start
    return apscheduling.lateness(scheduler, rate=rate, seconds=seconds)


def idle(*, jobs: int, threads: int) -> dict[str, Any]:
    return apscheduling.idle(lambda kind: _scheduler(threads, kind), jobs=jobs)


def _keep_history(scheduler: Any) -> None:
    from django_apscheduler.jobstores import register_events

    register_events(scheduler)


def _scheduler(threads: int, kind: type | None = None) -> Any:
    plain_django.setup("django_apscheduler")
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler
    from django_apscheduler.jobstores import DjangoJobStore

    scheduler = (kind or BackgroundScheduler)(executors={"default": ThreadPoolExecutor(threads)})
    scheduler.add_jobstore(DjangoJobStore(), "default")
    return scheduler
