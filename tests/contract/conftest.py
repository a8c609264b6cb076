"""A job store and a scheduler on the real database, and jobs as APScheduler's scheduler would hand them over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger

from scheduler.store.jobstore import PostgresJobStore
from tests.contract import tasks

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def store(db: None) -> Iterator[PostgresJobStore]:
    store = PostgresJobStore()
    store.start(SimpleNamespace(timezone=BERLIN), "default")
    yield store
    store.shutdown()


@pytest.fixture
def add_job(store: PostgresJobStore) -> Callable[..., Job]:
    """Make a job, and add it to the store unless told otherwise."""

    def add(
        func: Any = tasks.first,
        run_date: datetime = datetime(2999, 1, 1, tzinfo=UTC),
        *,
        id: str | None = None,
        paused: bool = False,
        is_added: bool = True,
        trigger: Any = None,
        **options: Any,
    ) -> Job:
        chosen = trigger or DateTrigger(run_date, timezone=UTC)
        values = {
            "args": (),
            "kwargs": {},
            "executor": "default",
            "misfire_grace_time": 60,
            "coalesce": True,
            "max_instances": 1,
            **options,
        }
        job = Job(SimpleNamespace(timezone=BERLIN), id=id, func=func, trigger=chosen, **values)
        job.next_run_time = None if paused else chosen.get_next_fire_time(None, datetime.now(UTC))
        if is_added:
            store.add_job(job)
        return job

    return add


@pytest.fixture
def scheduler(db: None) -> Iterator[BackgroundScheduler]:
    """A stock scheduler whose job store is ours. It runs nothing."""
    scheduler = BackgroundScheduler(jobstores={"default": PostgresJobStore()}, timezone=BERLIN)
    yield scheduler
    if scheduler.running:
        scheduler.shutdown()
