"""Runs that wait for a Celery worker, and messages about them that tests send themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from scheduler.contrib.celery import bell
from scheduler.models import Run
from scheduler.remote.executors import Ring
from scheduler.services import jobs
from tests.brokers import Broker
from tests.scenarios.holding import NOT_SOON

EXECUTOR = "celery:scrape"


@contextmanager
def connected_to_broker(broker: Broker) -> Iterator[None]:
    """Let this process ring a broker, as nodes do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELERY_BROKER_URL", broker.url)
        _forget()
        try:
            yield
        finally:
            bell.line().close()
            _forget()


def waiting_run(id: str, task: str = "sample.record", *, kwargs: dict[str, Any] | None = None, **policies: Any) -> Run:
    """Create a job for workers, and a run of it that is due."""
    job = jobs.create(id=id, task=task, kwargs=kwargs or {}, trigger=NOT_SOON, executor=EXECUTOR, **policies)
    return jobs.run_now(job=job)


def ring(*runs: Run, times: int = 1) -> None:
    """Send messages about these runs."""
    rings = [Ring(run=run.pk, attempt=run.attempt, ring=number) for number in range(1, times + 1) for run in runs]
    bell.CeleryBell("scrape").ring(rings)


def _forget() -> None:
    bell.line.cache_clear()
    bell.application.cache_clear()
