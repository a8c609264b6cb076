"""What happens to jobs, as nodes record it."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

from django.db import connection as web

from scheduler.core.alerts import check_rule
from scheduler.core.states import RunState
from scheduler.models import Channel, Incident, Job, Notification, Rule
from scheduler.services.alerts import channels
from scheduler.services.alerts.sender import Sender
from scheduler.store import outbox
from scheduler.store.clock import database_now
from scheduler.store.recording import finishing
from scheduler.store.recording.finishing import Outcome
from scheduler.store.sessions.connections import Connection
from tests.ledger import add_job, add_run
from tests.receivers import WebhookReceiver

_numbers = count(1)

EVERY_KIND: dict[str, dict[str, object]] = {
    "failing": {"threshold": 3, "scope": "tag", "target": "billing"},
    "broken": {"scope": "task", "target": "reports.send"},
    "late": {"seconds": 120.0},
    "deadline": {"seconds": 3600.0, "scope": "job", "target": "nightly"},
    "silent": {"seconds": 86400.0},
    "slow": {"factor": 3.0, "samples": 20, "seconds": None},
    "dropped": {"threshold": 5, "seconds": 7200.0},
    "result": {"path": "documents.new", "operator": "=", "value": 0, "threshold": 3},
    "system": {"severity": "critical"},
}
"""A rule of each kind, with what it takes."""


def job(id: str = "", **values: Any) -> Job:
    """A job that is due in an hour."""
    now = database_now()
    return add_job(
        id or f"job-{next(_numbers)}",
        due_at=now + timedelta(hours=1),
        created_at=now - timedelta(days=30),
        **values,
    )


def rule(kind: str, *, channels: tuple[Channel, ...] = (), **values: Any) -> Rule:
    """Write a rule past the services."""
    name = values.pop("name", f"{kind}-{next(_numbers)}")
    enabled = values.pop("enabled", True)
    made = Rule.objects.create(name=name, enabled=enabled, **check_rule({"kind": kind, **values}))
    made.channels.set(channels)
    return made


def channel(name: str = "", **values: Any) -> Channel:
    return Channel.objects.create(name=name or f"channel-{next(_numbers)}", kind="webhook", **values)


def end(session: Connection, node: str, job: Job, *states: RunState, error: str = "Boom") -> None:
    """Record how runs of the job end, one transaction each, as a node does."""
    for state in states:
        at = database_now()
        run = add_run(job, scheduled_at=at, state=RunState.RUNNING, node=node)
        failed = state is not RunState.SUCCEEDED
        outcome = Outcome(run_id=run.pk, state=state, started=0, finished=1, error=error if failed else None)
        recorded = finishing.finish(session, outcomes=[outcome], node=node, clock=2)
        assert recorded.runs == {run.pk}
        finishing.reset_failures(session, runs=recorded.runs)


def fail(session: Connection, node: str, job: Job, times: int = 1, error: str = "Boom") -> None:
    end(session, node, job, *[RunState.FAILED] * times, error=error)


def succeed(session: Connection, node: str, job: Job) -> None:
    end(session, node, job, RunState.SUCCEEDED)


def incidents(**filter: Any) -> list[Incident]:
    return list(Incident.objects.filter(**filter).order_by("id"))


def notifications(**filter: Any) -> list[Notification]:
    return list(Notification.objects.filter(**filter).order_by("created_at", "kind"))


def tell(session: Connection) -> None:
    """Put into the outbox what has happened, without waiting for more."""
    outbox.fill(session, quiet=0.0, burst=0.0, pace=0.0)


def pass_time(**duration: float) -> None:
    """Move everything that alerts remember into the past, as if this much time had gone by."""
    seconds = timedelta(**duration).total_seconds()
    columns = {
        "scheduler_incident": ("opened_at", "last_at", "closed_at", "remind_at", "escalated_at", "acknowledged_at"),
        "scheduler_notification": ("created_at", "due_at", "tried_at", "sent_at", "leased_until"),
        "scheduler_rule": ("told_at",),
        "scheduler_channel": ("failing_since",),
    }
    with web.cursor() as cursor:
        for table, names in columns.items():
            changes = ", ".join(f"{name} = {name} - interval '{seconds} seconds'" for name in names)
            cursor.execute(f"UPDATE {table} SET {changes}")  # noqa: S608 - names of columns


def webhook(receiver: WebhookReceiver, *, per_minute: int = 30, **config: Any) -> Channel:
    config = {"url": receiver.url, **config}
    return channels.create(name="hook", kind="webhook", per_minute=per_minute, config=config)


def mail() -> Channel:
    return channels.create(name="mail", kind="mail", config={"to": "ada@example.org"})


def send() -> None:
    assert Sender().run_until_empty(timeout=120)
