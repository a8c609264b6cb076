"""Rows as time leaves them: jobs, runs and nodes of so many days ago."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

from django.utils import timezone

from scheduler.core.states import JobState, NodeState, RunState
from scheduler.models import Job, Node, Run
from scheduler.store.clock import database_now

_places = itertools.count()


def job(id: str = "daily", *, state: JobState = JobState.ACTIVE, ended_days_ago: float | None = None) -> Job:
    now = timezone.now()
    return Job.objects.create(
        id=id,
        job_state=b"",
        name=id,
        task="scheduler.cleanup_jobs",
        trigger={"type": "interval", "days": 1},
        state=state,
        state_changed_at=None if ended_days_ago is None else now - timedelta(days=ended_days_ago),
        needs_inspection=False,
        created_at=now - timedelta(days=400),
        updated_at=now - timedelta(days=400),
    )


def run(of: Job | None, *, days_ago: float, state: RunState = RunState.SUCCEEDED, **values: Any) -> Run:
    at = database_now() - timedelta(days=days_ago)
    is_active = state in {RunState.QUEUED, RunState.RUNNING}
    values = {
        "scheduled_at": at + timedelta(microseconds=next(_places)),
        "due_at": at,
        "created_at": at,
        "executor": "default",
        "finished_at": None if is_active else at,
        **values,
    }
    key = of.pk if of else "gone"
    return Run.objects.create(job=of, job_key=key, job_name=key, task="scheduler.cleanup_jobs", state=state, **values)


def node(state: NodeState, *, days_ago: float) -> Node:
    at = timezone.now() - timedelta(days=days_ago)
    stopped_at = at if state in {NodeState.STOPPED, NodeState.LOST} else None
    return Node.objects.create(
        name="web-1",
        host="web-1",
        pid=1,
        version="1",
        state=state,
        started_at=at,
        heartbeat_at=at,
        stopped_at=stopped_at,
    )
