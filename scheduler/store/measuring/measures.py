"""Measures: how the scheduling stands, read from the database and judged by its clock, so valid for every process."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scheduler import conf
from scheduler.core import zone_rules
from scheduler.core.health import Limits
from scheduler.core.health.standing import (
    CleanUp,
    Limited,
    NodeView,
    NotStarted,
    OpenTransaction,
    QueueTotal,
    QueueView,
    Scheduling,
    Standing,
    Waiting,
)
from scheduler.store import database, statements
from scheduler.store.sessions.connections import Connection, Row
from scheduler.untouched import json

FRESH_BEATS = 2
"""A node is alive while its heartbeat is younger than this many of its periods."""

_MOST_COUNTED = 100_000
"""
Runs of a queue, held runs, and jobs that do not start, that are read or counted: more of them are reported as so many.
"""

_LONGEST_SECONDS = 10_000 * 366 * 86_400.0
"""More than the distance between any two dates that Python has."""

CLEAN_UP_TASK = "scheduler.cleanup_jobs"

Execute = Callable[..., list[Row]]
"""Runs ``sql/<statement>.sql`` with parameters: a node's ``Connection.execute``, or ``execute`` of this module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """All runs of a task that ended in a state."""

    task: str
    state: str
    runs: int
    run_seconds: float
    run_buckets: list[int]
    """By the bounds of ``core.buckets``, not cumulative."""

    lag_seconds: float
    lag_buckets: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMeasures:
    """The measures that a node takes of itself: the parameters of ``report_measures.sql``."""

    clock: datetime
    """The node's."""

    backlog: int
    """Outcomes that are not recorded yet."""

    backlog_seconds: float
    tick_seconds: float | None
    busy: Mapping[str, int]
    """Bodies that run, by executor."""

    waiting: Mapping[str, int]
    """Runs that wait for a thread or a process, by executor."""

    connections: int
    brokers: Mapping[str, Mapping[str, str]]
    """Those that refuse its messages."""

    memory_bytes: int | None
    processors: float | None


def execute(statement: str, **parameters: Any) -> list[Row]:
    """Run a statement on this thread's connection of the web, and return its rows."""
    with database.cursor() as cursor:
        cursor.execute(statements.load(statement), parameters or None)
        return list(cursor.fetchall())


def _named(names: Iterable[str], row: Row) -> dict[str, Any]:
    """Name the columns of a row. The age of a time such as ``-infinity`` becomes a number that can be shown."""
    return {name: _shown(value) for name, value in zip(names, row, strict=True)}


def _shown(value: Any) -> Any:
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return 0.0 if math.isnan(value) else math.copysign(_LONGEST_SECONDS, value)


def fresh_seconds() -> float:
    """Return the age at which a heartbeat is too old."""
    return FRESH_BEATS * conf.get().heartbeat_seconds


def scheduling(*, execute: Execute = execute) -> Scheduling:
    """Look at what is due and who is alive."""
    row = execute("measure_scheduling", fresh=fresh_seconds(), late=conf.get().overdue_seconds)[0]
    names = Scheduling.__dataclass_fields__
    return Scheduling(**_named(names, row))


def waiting(*, execute: Execute = execute) -> list[Waiting]:
    """Look at the queue of each executor that has active runs."""
    names = Waiting.__dataclass_fields__
    rows = execute("measure_waiting", late=conf.get().overdue_seconds, most=_MOST_COUNTED)
    return [Waiting(**_named(names, row)) for row in rows]


def not_started(*, jobs: Iterable[str] | None = None) -> list[NotStarted]:
    """
    Find the jobs, of all or of these, whose runs do not begin or whose fire times all pass, the latter first.

    After an outage all jobs wait, and there may be millions of them: so many are found at most. Nodes, health and
    metrics only count (``stalled``).
    """
    settings = conf.get()
    names = NotStarted.__dataclass_fields__
    rows = execute(
        "jobs_not_started",
        jobs=None if jobs is None else list(jobs),
        late=settings.overdue_seconds,
        fire_times=settings.stalled_fire_times,
        most=_MOST_COUNTED,
    )
    return [NotStarted(**_named(names, row)) for row in rows]


def stalled(*, execute: Execute = execute) -> int:
    """Count the jobs whose fire times all pass."""
    ((number,),) = execute("count_stalled_jobs", jobs=None, fire_times=conf.get().stalled_fire_times)
    return int(number)


def oldest_transaction(*, execute: Execute = execute) -> OpenTransaction | None:
    """Find the transaction that has been open longest, besides the caller's own."""
    rows = execute("oldest_transaction")
    names = OpenTransaction.__dataclass_fields__
    return OpenTransaction(**_named(names, rows[0])) if rows else None


def named_queues(*, execute: Execute = execute) -> list[QueueView]:
    """Return the queues that have active runs, by name."""
    return [QueueView._make(map(_shown, row)) for row in execute("measure_queues", most=_MOST_COUNTED)]


def queue_totals(*, now: datetime | None = None, execute: Execute = execute) -> list[QueueTotal]:
    """Add up the counters of all nodes, by queue."""
    return [QueueTotal._make(map(_shown, row)) for row in execute("measure_queue_counters", now=now)]


def limited(*, execute: Execute = execute) -> Limited | None:
    """Count the runs that wait for limits. ``None``: no run does."""
    rows = execute("measure_limits", most=_MOST_COUNTED)
    return Limited(**_named(Limited.__dataclass_fields__, rows[0])) if rows else None


def clean_up(*, execute: Execute = execute) -> CleanUp:
    """Look whether something deletes old rows."""
    row = execute("measure_clean_up", task=CLEAN_UP_TASK)[0]
    return CleanUp(**_named(CleanUp.__dataclass_fields__, row))


def standing(*, found: Sequence[NotStarted] | None = None, execute: Execute = execute) -> Standing:
    """
    Measure everything that health is judged by: nine statements, whose rows do not grow with the jobs and their runs.

    ``found``: what ``not_started`` found of all jobs, if it was called already.
    """
    by_state, unadopted = jobs(execute=execute)
    return Standing(
        scheduling=scheduling(execute=execute),
        nodes=nodes(execute=execute),
        queues=waiting(execute=execute),
        stalled=stalled(execute=execute) if found is None else sum(1 for job in found if job.fire_times),
        transaction=oldest_transaction(execute=execute),
        jobs=by_state,
        unadopted=unadopted,
        limited=limited(execute=execute),
        named_queues=named_queues(execute=execute),
        clean_up=clean_up(execute=execute),
        tzdata=zone_rules.release(),
    )


def limits() -> Limits:
    """Return when something is not well, as the settings say."""
    settings = conf.get()
    return Limits(
        enabled=settings.enabled,
        overdue_seconds=settings.overdue_seconds,
        fire_times=settings.stalled_fire_times,
        backlog=settings.backlog_rows // 2,
        skew_seconds=settings.skew_seconds,
    )


def nodes(*, execute: Execute = execute) -> list[NodeView]:
    """Return the nodes that run or stop, by name."""
    found = []
    for row in execute("measure_nodes", fresh=fresh_seconds()):
        values = _named(NodeView.__dataclass_fields__, row)
        for name in ("executors", "busy", "waiting", "brokers"):
            values[name] = json.loads(values[name] or "{}")
        values["queues"] = json.loads(values["queues"] or "[]")
        found.append(NodeView(**values))
    return found


def totals(*, execute: Execute = execute) -> list[Total]:
    """Add up the counters of all nodes, by task and state."""
    names = Total.__dataclass_fields__
    return [Total(**_named(names, row)) for row in execute("measure_counters")]


def report(connection: Connection, *, node: str, measured: OwnMeasures) -> None:
    """Store the measures that a node took of itself."""
    facts = {name: getattr(measured, name) for name in OwnMeasures.__dataclass_fields__}
    documents = {name: json.dumps(dict(facts[name])) for name in ("busy", "waiting", "brokers")}
    connection.execute("report_measures", node=node, **{**facts, **documents})


def jobs(*, execute: Execute = execute) -> tuple[dict[str, int], int]:
    """Count the jobs by state, and the rows of django-apscheduler that are not jobs of ours."""
    found: dict[str | None, int] = dict(execute("measure_jobs"))
    unadopted = found.pop(None, 0)
    return {state: number for state, number in found.items() if state is not None}, unadopted
