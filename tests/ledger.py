"""Jobs, runs and nodes as tests want them in the database: complete, and different only in what a test names."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from scheduler.core import reasons
from scheduler.core.states import BORN_FINISHED_STATES, RunState
from scheduler.models import Job, Node, Run
from scheduler.remote import taking
from scheduler.remote.executors import Ring
from scheduler.store.recording.runs import OwnedRun
from scheduler.store.sessions.connections import Connection

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

TASK = "tests.nothing"

PASSED = reasons.STILL_ACTIVE(number=1, most=1)
"""Why a fire time was missed or skipped, where a test names no other reason."""

ANY_JOB: dict[str, Any] = {"since": None, "recent": None, "only": None, "passed_by": "{}", "tzdata": "9999z"}
"""What a claim asks for that has no restriction."""


def add_job(id: str = "job", *, due_at: datetime | None = NOON, **changes: Any) -> Job:
    """Write an hourly job that was inspected, past the services."""
    values: dict[str, Any] = {
        "name": id,
        "task": TASK,
        "trigger": {"type": "interval", "hours": 1, "timezone": "UTC", "start_at": (due_at or NOON).isoformat()},
        "next_run_time": due_at,
        "created_at": NOON,
        "updated_at": NOON,
        "needs_inspection": False,
        "misfire_grace_time": None,
        "job_state": b"",
    }
    return Job.objects.create(id=id, **{**values, **changes})


def add_run(job: Job, *, scheduled_at: datetime = NOON, **changes: Any) -> Run:
    """
    Write a run that waits without a node. A finished ``state`` gets its times, and one that passed without a run the
    reason that every writer gives.
    """
    values: dict[str, Any] = {
        "job": job,
        "job_key": job.pk,
        "job_name": job.name,
        "task": job.task,
        "executor": job.executor,
        "priority": job.priority,
        "scheduled_at": scheduled_at,
        "due_at": scheduled_at,
        "created_at": scheduled_at,
    }
    state = changes.get("state", RunState.QUEUED)
    if state is not RunState.QUEUED:
        values["started_at"] = scheduled_at
    if state not in (RunState.QUEUED, RunState.RUNNING):
        values["finished_at"] = scheduled_at
    if state in BORN_FINISHED_STATES:
        values |= reasons.columns(PASSED)
    return Run.objects.create(**{**values, **changes})


def add_node(*, beat_at: datetime = NOON, **changes: Any) -> str:
    """Write a running node and return its id."""
    values: dict[str, Any] = {"name": "node", "host": "host", "pid": 1, "version": "1", "started_at": NOON}
    return str(Node.objects.create(pk=uuid.uuid4(), heartbeat_at=beat_at, **{**values, **changes}).pk)


def multiply(table: str, key: str, *, count: int, changes: str) -> None:
    """
    Write so many copies of the row with the least key, each different as ``changes`` says.

    ``changes``: SQL of a JSON object, with ``original`` for the row and ``n``, from 1 on.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} SELECT copy.*"  # noqa: S608 - the names and changes are those of tests
            f"  FROM (SELECT * FROM {table} ORDER BY {key} LIMIT 1) AS original, generate_series(1, {count}) AS n,"
            f"       jsonb_populate_record(NULL::{table}, to_jsonb(original) || {changes}) AS copy"
        )


def rows(job: Job | str) -> list[tuple[datetime, str]]:
    """Return fire time and state of each row of a job, oldest first."""
    key = job if isinstance(job, str) else job.pk
    found = Run.objects.filter(job_key=key).order_by("scheduled_at", "attempt")
    return list(found.values_list("scheduled_at", "state"))


def take_rung(
    session: Connection, *, node: str, run: int, attempt: int = 1, now: datetime | None = None
) -> OwnedRun | None:
    """Let a worker ask the start gate for one attempt of a run, as its only message."""
    taken = list(taking.take(session, node=node, rings=[Ring(run=run, attempt=attempt, ring=1)], now=now))
    return taken[0] if taken else None
