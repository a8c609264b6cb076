"""A daily job on a Monday afternoon: what the tests of the services for jobs begin with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django_apscheduler.models import DjangoJob

from scheduler.core.states import JobState
from scheduler.models import Change, Job
from scheduler.services import jobs
from tests.contract import tasks  # noqa: F401 - registers the tasks

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
HOURLY = {"type": "interval", "hours": 1, "start_at": "2026-11-23T00:00:00Z"}


def daily(hour: int, timezone: str = "UTC") -> dict[str, str]:
    return {"type": "cron", "expression": f"0 {hour} * * *", "timezone": timezone}


def at(hour: int, minute: int = 0, *, day: int = 23) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def make(**changes: Any) -> Job:
    given = {"id": "nightly", "task": "contract.first", "trigger": daily(1), "now": NOW, **changes}
    return jobs.create(**given)


def again(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def break_job(job: Job, *, interrupted_at: datetime | None) -> None:
    """As a node does."""
    DjangoJob.objects.filter(pk=job.pk).update(next_run_time=None)
    Job.objects.filter(pk=job.pk).update(
        state=JobState.BROKEN, reason_text="Its task is gone.", interrupted_at=interrupted_at, needs_inspection=False
    )


def newest() -> Change:
    """Return the newest row of the history."""
    return Change.objects.order_by("-id")[0]
