from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scheduler import conf
from scheduler.core.definition import POLICIES
from scheduler.engine.scheduler import DurableScheduler
from scheduler.models import Job, Run
from scheduler.services import jobs
from tests.waiting import PATIENCE_SECONDS, wait_until

StartNode = Callable[..., DurableScheduler]
Start = Callable[..., Run]

NEVER = {"type": "date", "run_at": "2100-01-01T00:00:00Z"}


@pytest.fixture
def start_node(transactional_db: None) -> Iterator[StartNode]:
    """Start nodes in this process; they are stopped at the end."""
    started: list[DurableScheduler] = []

    def start(**changes: Any) -> DurableScheduler:
        values = {"threads": 3, "processes": 0, "poll_seconds": 1.0, "grace_seconds": 1.0, **changes}
        scheduler = DurableScheduler(settings=dataclasses.replace(conf.get(), **values))
        scheduler.start()
        started.append(scheduler)
        return scheduler

    yield start
    for scheduler in started:
        if scheduler.running:
            scheduler.shutdown()


@pytest.fixture
def job_of(transactional_db: None) -> Callable[..., Job]:
    """Make a job that never fires by itself."""

    def make(task: str, /, *, executor: str = "default", **more: Any) -> Job:
        policies = {name: more.pop(name) for name in list(more) if name in POLICIES}
        return jobs.create(
            id=f"job-{uuid.uuid4().hex[:8]}", task=task, trigger=NEVER, kwargs=more, executor=executor, **policies
        )

    return make


def finished(run: Run, timeout: float = PATIENCE_SECONDS) -> Run:
    """Wait until a run has finished, and return it."""

    def look() -> Run | None:
        run.refresh_from_db()
        return run if run.finished_at is not None else None

    found = wait_until(look, timeout)
    assert found is not None
    return found


def in_state(run: Run, state: str, timeout: float = PATIENCE_SECONDS) -> Run:
    def look() -> Run | None:
        run.refresh_from_db()
        return run if run.state == state else None

    found = wait_until(look, timeout)
    assert found is not None
    return found
