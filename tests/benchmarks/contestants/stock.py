"""django-apscheduler as its documentation sets it up: its job store, and its history of executions."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.contestants import plain_django, work


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    plain_django.setup("django_apscheduler")
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler
    from django_apscheduler.jobstores import DjangoJobStore, register_events
    from django_apscheduler.models import DjangoJobExecution

    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(threads)})
    scheduler.add_jobstore(DjangoJobStore(), "default")
    register_events(scheduler)
    executed = DjangoJobExecution.objects.filter(status=DjangoJobExecution.SUCCESS)
    return work.measure(scheduler, jobs=jobs, recorded=executed.count)
