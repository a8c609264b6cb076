"""
The path of a fire time from its claim to its outcome stays short.

It is the second fire time of a job: the trigger is parsed and the job inspected once, and not for each fire time.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from scheduler import conf
from scheduler.core.states import RunState
from scheduler.engine.node import Node
from scheduler.execution.threads import ThreadPool
from scheduler.models import Job, Run
from tests import nodes as passes
from tests.ledger import add_job
from tests.tracing import Trail, following

pytestmark = pytest.mark.django_db(transaction=True)

MOST_MODULES = 40
MOST_STATEMENTS = 14
A_MOMENT = timedelta(seconds=0.1)
EVERY_SECONDS = 8
"""Far longer than the path takes, although it is followed: the next fire time would lead another way beside a run."""

RARE = {"reconcile_seconds": 3600.0, "poll_seconds": 3600.0, "busy_poll_seconds": 3600.0}
"""What a node does by itself from time to time is not on the path."""


@pytest.fixture
def trail(transactional_db: None) -> Iterator[Trail]:
    def pool(name: str, report: Any, publish: Any, identity: Any) -> ThreadPool:
        return ThreadPool(name=name, size=2, report=report, publish=publish, identity=identity, max_stuck=2)

    def work(*, until: Any) -> None:
        passes.work(node, until=until)

    with following() as path:
        node = Node(settings=dataclasses.replace(conf.get(), **RARE), executors={"default": pool})
        node.start()
        try:
            first_at = timezone.now()
            trigger = {"type": "interval", "seconds": EVERY_SECONDS, "start_at": first_at.isoformat()}
            add_job("job", due_at=first_at, trigger=trigger, task="sample.nothing")
            work(until=lambda: _has_succeeded(since=first_at) and _fires_within(A_MOMENT))
            next_at = Job.objects.get().next_run_time
            path.is_followed = True
            work(until=lambda: _has_succeeded(since=next_at))
            path.is_followed = False
            yield path
        finally:
            node.stop(grace_seconds=0)


def _has_succeeded(*, since: datetime) -> bool:
    return Run.objects.filter(scheduled_at__gte=since, state=RunState.SUCCEEDED).exists()


def _fires_within(moment: timedelta) -> bool:
    return timedelta() < Job.objects.get().next_run_time - timezone.now() < moment


class TestTheFireTime:
    def test_crosses_few_modules_and_statements(self, trail: Trail) -> None:
        if file := os.environ.get("TRAIL"):
            Path(file).write_text(
                json.dumps({"modules": sorted(trail.modules), "statements": Counter(trail.statements)})
            )

        assert {"claim_due_jobs", "start_runs"} <= set(trail.statements)
        assert len(trail.modules) <= MOST_MODULES, sorted(trail.modules)
        assert len(set(trail.statements)) <= MOST_STATEMENTS, Counter(trail.statements)
