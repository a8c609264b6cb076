"""Measures: how the scheduling stands, read from the database and judged by its clock, so valid for every process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scheduler import conf
from scheduler.store import database, statements
from scheduler.store.connections import Connection, Row

FRESH_BEATS = 2
"""A node is alive while its heartbeat is younger than this many of its periods."""

Execute = Callable[..., list[Row]]
"""Runs ``sql/<statement>.sql`` with parameters: a node's ``Connection.execute``, or ``execute`` of this module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduling:
    """One look at everything that health asks. Ages are in seconds; ``None``: there is nothing that has one."""

    now: datetime
    due: int
    """Active jobs whose time has come and that no node has planned yet."""

    overdue: int
    """Those that are due for longer than they should be."""

    max_overdue: float | None
    next_run_time: datetime | None
    nodes: int
    """Meant to be running."""

    fresh_nodes: int
    """With a heartbeat that is young enough."""

    heartbeat_age: float | None
    """Of the node that was heard last."""

    uptime: float | None
    """Of the fresh node that runs longest."""

    backlog: int | None
    """Outcomes in the memory of the node that is furthest behind."""

    skew: float | None
    """The largest distance between the clock of a node and the database's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The queue of one executor."""

    executor: str
    queued: int
    running: int
    held: int
    oldest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """A node that is meant to be alive, and what it said of itself last; ``None``: it said nothing."""

    id: str
    name: str
    state: str
    heartbeat_age: float
    uptime: float
    stuck: int
    executors: dict[str, int]
    is_fresh: bool
    backlog: int | None
    tick_seconds: float | None
    busy: dict[str, int]
    waiting: dict[str, int]
    connections: int | None
    skew: float | None


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


def execute(statement: str, **parameters: Any) -> list[Row]:
    """Run a statement on this thread's connection of the web, and return its rows."""
    with database.cursor() as cursor:
        cursor.execute(statements.load(statement), parameters or None)
        return list(cursor.fetchall())


def fresh_seconds() -> float:
    """Return the age at which a heartbeat is too old."""
    return FRESH_BEATS * conf.get().heartbeat_seconds


def scheduling(*, execute: Execute = execute) -> Scheduling:
    """Look at what is due and who is alive."""
    row = execute("measure_scheduling", fresh=fresh_seconds(), late=conf.get().overdue_seconds)[0]
    names = Scheduling.__dataclass_fields__
    return Scheduling(**dict(zip(names, row, strict=True)))


def waiting(*, execute: Execute = execute) -> list[Waiting]:
    """Look at the queue of each executor that has active runs."""
    names = Waiting.__dataclass_fields__
    return [Waiting(**dict(zip(names, row, strict=True))) for row in execute("measure_waiting")]


def nodes(*, execute: Execute = execute) -> list[NodeView]:
    """Look at the nodes that run or stop; by name."""
    found = []
    for row in execute("measure_nodes", fresh=fresh_seconds()):
        values: dict[str, Any] = dict(zip(NodeView.__dataclass_fields__, row, strict=True))
        for name in ("executors", "busy", "waiting"):
            values[name] = json.loads(values[name] or "{}")
        found.append(NodeView(**values))
    return found


def totals(*, execute: Execute = execute) -> list[Total]:
    """Add up the counters of all nodes; by task and state."""
    names = Total.__dataclass_fields__
    return [Total(**dict(zip(names, row, strict=True))) for row in execute("measure_counters")]


def report(
    connection: Connection,
    *,
    node: str,
    clock: datetime,
    backlog: int,
    tick_seconds: float | None,
    busy: Mapping[str, int],
    waiting: Mapping[str, int],
    connections: int,
) -> None:
    """Say what a node measures of itself. ``clock``: what its own clock shows."""
    connection.execute(
        "report_measures",
        node=node,
        clock=clock,
        backlog=backlog,
        tick_seconds=tick_seconds,
        busy=json.dumps(dict(busy)),
        waiting=json.dumps(dict(waiting)),
        connections=connections,
    )


def jobs(*, execute: Execute = execute) -> dict[str, int]:
    """Count the jobs by state."""
    return dict(execute("measure_jobs"))
