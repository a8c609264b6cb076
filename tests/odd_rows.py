"""
Odd rows: values that SQL allows and nobody expects, and the rows that they are written into.

Each place is one row of one table that the loops of a node read or write. It is written while it is sound.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

from django.utils import timezone

from scheduler.core.buckets import LAG_SECONDS, RUN_SECONDS
from scheduler.core.states import NodeState, RunState
from scheduler.models import (
    Counter,
    Incident,
    LimitedRun,
    Mute,
    NodeMeasure,
    OwedWindow,
    Queue,
    QueueCounter,
    RateLimit,
    RemovedJob,
    RestoredJob,
    Rollup,
    Rule,
    TaskStreak,
)
from tests.ledger import add_job, add_node, add_run

TASK = "sample.nothing"
HEALTHY = "good"
ODD = "odd"

TIMES = ("infinity", "-infinity", "20000-01-01", "294276-12-31", "0044-03-15 BC", "0001-01-01", "9999-12-31")
WHOLE = ("2147483647", "-2147483648", "32767", "-32768", "0", "1", "9223372036854775807")
NUMBERS = ("NaN", "Infinity", "-Infinity", "1e308", "-1", "0", "1e-308")
TEXTS = ("", "weird", "\u0001", "x" * 255, 'a"b\\c{d},e', "‮", "null", "%s %(x)s")
JSON = ("null", "[]", "{}", "1e308", '"text"', '{"$sealed": 1}', "[[[[[[]]]]]]", '{"type": "cron"}', "[null]")
LISTS = ("{}", "{NULL}", '{"a\\"b"}')
IDENTITIES = (str(uuid4()), "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")

VALUES: dict[str, tuple[str | None, ...]] = {
    "timestamp with time zone": TIMES,
    "integer": WHOLE,
    "smallint": WHOLE,
    "bigint": WHOLE,
    "double precision": NUMBERS,
    "text": TEXTS,
    "character varying": TEXTS,
    "jsonb": JSON,
    "boolean": ("true", "false"),
    "uuid": IDENTITIES,
    "ARRAY": LISTS,
    "bytea": ("",),
}


class Place(NamedTuple):
    """The row that gets an odd value."""

    table: str
    key: str
    """The column that finds it."""

    identity: str


class Nodes(NamedTuple):
    """The node that does everything, and one that is lost."""

    own: str
    lost: str


def _due() -> datetime:
    return timezone.now() - timedelta(seconds=2)


def _job(column: str = "djangojob_ptr_id", **changes: object) -> Place:
    add_job(ODD, task=TASK, **{"due_at": _due(), **changes})  # type: ignore[arg-type]
    return Place("scheduler_job" if column == "djangojob_ptr_id" else "django_apscheduler_djangojob", column, ODD)


def _run(*, is_due: bool = False, **changes: object) -> Place:
    job = add_job(ODD, due_at=_due() if is_due else None, task=TASK, rerun_if_interrupted=True)
    return Place("scheduler_run", "id", str(add_run(job, scheduled_at=_due() - timedelta(hours=1), **changes).pk))


def _lost_node(nodes: Nodes) -> Place:
    add_run(add_job(ODD, due_at=None, task=TASK), scheduled_at=_due(), node=nodes.lost, state=RunState.RUNNING)
    return Place("scheduler_node", "id", nodes.lost)


def _other_node(nodes: Nodes) -> Place:
    return Place("scheduler_node", "id", add_node(beat_at=timezone.now()))


def _measures(nodes: Nodes) -> Place:
    NodeMeasure.objects.create(node_id=nodes.own, clock_at=_due(), backlog=0, connections=1)
    return Place("scheduler_nodemeasure", "node_id", nodes.own)


def _rollup(nodes: Nodes) -> Place:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    Rollup.objects.create(job_key=HEALTHY, hour=hour, last_finished_at=_due())
    return Place("scheduler_rollup", "job_key", HEALTHY)


def _counter(state: str) -> Callable[[Nodes], Place]:
    def write(nodes: Nodes) -> Place:
        counter = Counter.objects.create(
            node=nodes.own,
            task=TASK,
            state=state,
            run_buckets=[0] * (len(RUN_SECONDS) + 1),
            lag_buckets=[0] * (len(LAG_SECONDS) + 1),
        )
        return Place("scheduler_counter", "id", str(counter.pk))

    return write


def _queue_counter(nodes: Nodes) -> Place:
    now = timezone.now()
    since = now.replace(minute=now.minute - now.minute % 5, second=0, microsecond=0)
    counter = QueueCounter.objects.create(node=nodes.own, queue="default", since=since)
    return Place("scheduler_queuecounter", "id", str(counter.pk))


def _streak(nodes: Nodes) -> Place:
    streak = TaskStreak.objects.create(task=TASK, queue="default", failures=1, failed_at=_due(), run=1)
    return Place("scheduler_taskstreak", "id", str(streak.pk))


def _queue(nodes: Nodes) -> Place:
    Queue.objects.create(name="other", paused_at=_due())
    return Place("scheduler_queue", "name", "other")


def _rate(nodes: Nodes) -> Place:
    RateLimit.objects.create(key=RATE, next_at=_due())
    return Place("scheduler_rate_limit", "key", RATE)


RATE = "host:example.org"
LANE = "host:example.org 1\n 0"


def _limited(*, is_granted: bool, concurrency: int = 0) -> Callable[[Nodes], Place]:
    def write(nodes: Nodes) -> Place:
        run = _run().identity
        LimitedRun.objects.create(
            run=int(run),
            lane=LANE,
            label=RATE,
            rate_key=RATE,
            rate_seconds=1.0,
            concurrency_key=RATE if concurrency else "",
            concurrency_most=concurrency,
            priority=0,
            granted_at=_due() if is_granted else None,
        )
        return Place("scheduler_limited_run", "run", run)

    return write


def _rule(nodes: Nodes) -> Place:
    rule = Rule.objects.create(name="Any job fails", kind="failing", threshold=1)
    return Place("scheduler_rule", "id", str(rule.pk))


def _incident(nodes: Nodes) -> Place:
    rule = Rule.objects.create(name="Any job fails", kind="failing", threshold=1)
    incident = Incident.objects.create(
        rule=rule, rule_name=rule.name, kind="failing", severity="warning", subject=f"job:{HEALTHY}", job_key=HEALTHY
    )
    return Place("scheduler_incident", "id", str(incident.pk))


def _mute(nodes: Nodes) -> Place:
    mute = Mute.objects.create(job_key=HEALTHY, until=_due())
    return Place("scheduler_mute", "id", str(mute.pk))


def _owed(nodes: Nodes) -> Place:
    trigger = add_job(ODD, due_at=None, task=TASK).trigger
    window = OwedWindow.objects.create(
        job_key=ODD,
        job_name=ODD,
        task=TASK,
        executor="default",
        trigger=trigger,
        first=_due() - timedelta(hours=5),
        until=_due(),
    )
    return Place("scheduler_owed", "id", str(window.pk))


def _removed(nodes: Nodes) -> Place:
    RemovedJob.objects.create(job_key="gone", removed_at=_due())
    return Place("scheduler_removed", "job_key", "gone")


def _restored(nodes: Nodes) -> Place:
    RestoredJob.objects.create(job_key="back", restored_at=_due())
    return Place("scheduler_restored", "job_key", "back")


def _installation(nodes: Nodes) -> Place:
    return Place("scheduler_installation", "id", "1")


PLACES: dict[str, Callable[[Nodes], Place]] = {
    "due job": lambda _: _job(),
    "when it is due": lambda _: _job("id"),
    "job to inspect": lambda _: _job(needs_inspection=True),
    "pause that ends": lambda _: _job(due_at=None, state="paused", paused_until=_due()),
    "waiting run": lambda _: _run(),
    "held run of a due job": lambda _: _run(is_due=True, held=True),
    "run of mine": lambda nodes: _run(node=nodes.own, state=RunState.RUNNING),
    "run of a lost node": lambda nodes: _run(node=nodes.lost, state=RunState.RUNNING),
    "a lost node": _lost_node,
    "another node": _other_node,
    "measures of the node": _measures,
    "roll-up of the healthy job": _rollup,
    "counter of its successes": _counter(RunState.SUCCEEDED),
    "counter of its failures": _counter(RunState.FAILED),
    "counter of its queue": _queue_counter,
    "failing task": _streak,
    "another queue": _queue,
    "rate of a key": _rate,
    "run that waits for a rate": _limited(is_granted=False),
    "run that waits for a place": _limited(is_granted=False, concurrency=2),
    "run that has a place": _limited(is_granted=True, concurrency=2),
    "alert rule": _rule,
    "open incident of the healthy job": _incident,
    "mute of the healthy job": _mute,
    "window that is owed": _owed,
    "removed job": _removed,
    "restored job": _restored,
    "the installation": _installation,
}


def nodes() -> Nodes:
    now = timezone.now()
    return Nodes(add_node(beat_at=now), add_node(beat_at=now - timedelta(days=1), state=NodeState.LOST))
