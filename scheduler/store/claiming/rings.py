"""Rings: stamping runs of remote executors before their broker is told, and the start gate of workers."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from scheduler import failpoints
from scheduler.core import reasons
from scheduler.store.recording.runs import OwnedRun
from scheduler.store.sessions.connections import Connection, array

_LOCKS = 0x6F6C_735F << 32
"""The first of the advisory locks of brokers: one for each."""


class StampedRun(NamedTuple):
    """A run of which a broker is told next. Its fields are the columns of ``stamp_runs_to_ring``."""

    id: int
    attempt: int
    ring: int
    executor: str
    """The remote executor, without the queue."""

    rung_at: datetime


class Attempt(Protocol):
    """An attempt of a run, as a ring names it."""

    @property
    def run(self) -> int: ...

    @property
    def attempt(self) -> int: ...


class NextRing(NamedTuple):
    """When a broker is to be rung again. Its fields are the columns of ``next_ring``."""

    seconds: float
    """Until a run may be rung that has room. Negative: it could be already. Thousands of years: no run waits."""

    is_full: bool
    """Whether runs wait only because as many as allowed were rung, or rung again, and have not begun."""


def stamp(
    connection: Connection,
    *,
    broker: str,
    limit: int,
    most_inflight: int,
    again_seconds: float,
    longest_seconds: float,
    now: datetime | None = None,
) -> tuple[StampedRun, ...] | None:
    """
    Stamp the runs of a broker that are to be rung now, in a transaction that is committed before one is sent.

    Of each remote executor at most ``most_inflight`` runs are rung and have not begun. A run that was rung
    ``again_seconds`` ago and still waits is rung again, after twice that for the third time, and so on up to
    ``longest_seconds``, but after ``again_seconds`` while workers have free places for it. ``None``: another node is
    stamping runs of this broker.

    :raises DatabaseUnavailable: the transaction was rolled back or, if the answer to COMMIT was lost, committed: then
        the runs are rung again
    """
    with connection.transaction() as transaction:
        ((is_alone,),) = transaction.execute("try_lock", lock=_lock(broker))
        if not is_alone:
            return None
        rows = transaction.execute(
            "stamp_runs_to_ring",
            broker=broker,
            limit=limit,
            most_inflight=most_inflight,
            again_seconds=again_seconds,
            longest_seconds=longest_seconds,
            now=now,
        )
        if rows:
            failpoints.hit("ring.before_commit")
    if rows:
        failpoints.hit("ring.after_commit")
    return tuple(map(StampedRun._make, rows))


def unstamp(connection: Connection, *, runs: Sequence[StampedRun]) -> int:
    """Take the stamps of these runs back, because the broker refused them, and return their number."""
    rows = connection.execute(
        "unstamp_runs", runs=array([run.id for run in runs]), rings=array([run.ring for run in runs])
    )
    return len(rows)


def next_ring(
    connection: Connection,
    *,
    broker: str,
    most_inflight: int,
    again_seconds: float,
    longest_seconds: float,
    now: datetime | None = None,
) -> NextRing:
    """Ask when a run of this broker is to be rung next."""
    (row,) = connection.execute(
        "next_ring",
        broker=broker,
        most_inflight=most_inflight,
        again_seconds=again_seconds,
        longest_seconds=longest_seconds,
        now=now,
    )
    return NextRing._make(row)


def take(
    connection: Connection,
    *,
    node: str,
    attempts: Sequence[Attempt],
    tasks: Iterable[str],
    limited: Iterable[str],
    now: datetime | None = None,
) -> list[OwnedRun]:
    """Pass the start gate for attempts of runs. Those of tasks with limits are owned then, and queued still."""
    with connection.transaction() as transaction:  # what cannot be read is not taken
        rows = transaction.execute(
            "take_rung_runs", node=node, **_columns(attempts), tasks=list(tasks), limited=list(limited), now=now
        )
        return [OwnedRun._make(row) for row in rows]


def still_waiting(connection: Connection, *, attempts: Sequence[Attempt]) -> frozenset[int]:
    """Return the runs among these whose attempt waits for a worker."""
    return frozenset(run for (run,) in connection.execute("waiting_rung_runs", **_columns(attempts)))


class LackedTask(NamedTuple):
    """A run whose task a worker does not know. Its fields are the columns of ``turn_down_runs``."""

    id: int
    task: str


def turn_down(
    connection: Connection,
    *,
    node: str,
    attempts: Sequence[Attempt],
    tasks: Collection[str],
    at_once: bool = False,
    now: datetime | None = None,
) -> list[LackedTask]:
    """
    Note that a worker does not take waiting runs. ``at_once``: another one may have them now.

    Return those whose task the worker does not know.
    """
    rows = connection.execute(
        "turn_down_runs",
        node=node,
        **_columns(attempts),
        tasks=list(tasks),
        reason_code=reasons.WORKER_LACKS_TASK.code,
        at_once=at_once,
        now=now,
    )
    return [LackedTask._make(row) for row in rows]


def _columns(attempts: Sequence[Attempt]) -> dict[str, str]:
    return {"runs": array([each.run for each in attempts]), "attempts": array([each.attempt for each in attempts])}


def _lock(broker: str) -> int:
    return _LOCKS + zlib.crc32(broker.encode())
