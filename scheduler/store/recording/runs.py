"""The ledger: taking, starting and giving back runs, and the numbers of runs."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from scheduler.core import zone_rules
from scheduler.core.queues import tracks
from scheduler.core.states import RunState
from scheduler.store.claiming.heads import Heads, Place
from scheduler.store.recording.finishing import set_apart
from scheduler.store.sessions.connections import (
    Connection,
    Row,
    array,
    concerns_rows,
)
from scheduler.store.sessions.halving import QUICK_SECONDS, in_halves
from scheduler.telemetry import events
from scheduler.untouched import json, time

logger = logging.getLogger(__name__)


class OwnedRun(NamedTuple):
    """A run that this node owns and may start. Its fields are the columns of the statements that hand runs out."""

    id: int
    job_id: str | None
    job_name: str
    task: str
    args: str
    """JSON."""

    kwargs: str
    """JSON."""

    scheduled_at: datetime
    attempt: int
    executor: str
    timeout_seconds: float | None = None
    """The timeout of its job. ``None``: that of the task."""

    job_key: str | None = None
    """The id of the job, kept after its deletion. ``None``: it is ``job_id``."""

    public_id: str | None = None
    """The result id of an enqueued run, the same for all of its attempts. ``None``: it is a run of a job."""

    policies: str | None = None
    """JSON: what an enqueued run keeps of the policies of its task."""


def take(
    connection: Connection,
    *,
    node: str,
    executor: str,
    tasks: Collection[str],
    limit: int,
    heads: Heads | None = None,
    now: datetime | None = None,
) -> tuple[OwnedRun, ...]:
    """
    Make up to ``limit`` waiting runs of a track this node's own: highest priority first, then the oldest.

    A run that cannot be read fails by itself. ``heads``: where to begin to read the line.
    """
    waiting = {"executor": executor, "tasks": list(tasks), "limit": limit, "now": now}

    def take_some(only: Sequence[int] | None) -> tuple[OwnedRun, ...]:
        given = {"node": node, "only": None if only is None else list(only), **waiting}
        return _take(connection, Heads() if heads is None or only is not None else heads, given)

    try:
        return take_some(None)
    except Exception as error:  # whatever one run makes it raise, the others are taken
        if not concerns_rows(error):
            raise
        logger.warning(events.TAKE_DIVIDED, extra={"error": str(error)[:500]})
    runs = [run_id for (run_id,) in connection.execute("find_waiting_runs", **waiting)]
    taken = in_halves(
        runs, take_some, lambda run, error: set_apart(connection, run=run, state=RunState.FAILED, error=error)
    )
    return tuple(itertools.chain.from_iterable(taken))


def _take(connection: Connection, heads: Heads, given: dict[str, Any]) -> tuple[OwnedRun, ...]:
    """Take runs from a line, and remember how far that came."""
    position = heads.position(given["executor"])
    is_whole = position["priorities"] is None
    began = time.monotonic()
    width = len(OwnedRun._fields)
    # The start gate is what has to last, and its commit comes later: what a crash before it forgets are runs that have
    # not begun, or those of idempotent tasks.
    take_whole = partial(connection.execute_whole, lock_seconds=QUICK_SECONDS)
    if is_whole and tracks.SEPARATOR not in given["executor"]:
        found = take_whole("take_runs", **given)
    else:
        found = take_whole("take_enqueued_runs", is_planned=True, **given, **position)
    taken = tuple(OwnedRun._make(row[:width]) for row in found)
    heads.note(
        given["executor"],
        seconds=time.monotonic() - began,
        is_whole=is_whole,
        taken=[(Place._make(row[width:]), row[0]) for row in found],
        limit=given["limit"],
    )
    return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The result of the start gate."""

    runs: frozenset[int]
    """Those that may begin."""

    locked: frozenset[int] = frozenset()
    """Those that somebody else has locked: to be tried again."""


def start(
    connection: Connection, *, runs: Iterable[int], node: str, with_care: bool = False, now: datetime | None = None
) -> Started:
    """
    Pass the start gate. Only the runs whose ids are returned may begin.

    ``with_care``: without waiting for those that somebody else has locked.
    """
    ids = list(runs)
    try:
        if with_care:
            return _start_unlocked(connection, ids, node=node, now=now)
        return _started(connection.execute("start_runs", runs=array(ids), node=node, now=now))
    except Exception as error:  # whatever one run makes it raise, the others begin
        if not concerns_rows(error):
            raise
        logger.warning(events.GATE_DIVIDED, extra={"error": str(error)[:500]})
    parts = in_halves(
        ids,
        lambda part: _start_unlocked(connection, part, node=node, now=now),
        lambda run, error: set_apart(connection, run=run, node=node, state=RunState.FAILED, error=error),
    )
    return Started(
        runs=frozenset().union(*(part.runs for part in parts)),
        locked=frozenset().union(*(part.locked for part in parts)),
    )


def _start_unlocked(connection: Connection, runs: Sequence[int], *, node: str, now: datetime | None) -> Started:
    with connection.transaction(lock_seconds=QUICK_SECONDS) as transaction:
        free = [run_id for (run_id,) in transaction.execute("lock_runs", runs=array(runs))]
        started = _started(transaction.execute("start_runs", runs=array(free), node=node, now=now))
    return Started(runs=started.runs, locked=frozenset(runs) - frozenset(free))


def _started(rows: Iterable[Row]) -> Started:
    return Started(runs=frozenset(run_id for (run_id,) in rows))


def to_cancel(connection: Connection, *, node: str) -> tuple[int, ...]:
    """Return the active runs of this node that somebody wants cancelled."""
    return tuple(run_id for (run_id,) in connection.execute("runs_to_cancel", node=node))


def skip_numbers(connection: Connection, *, seen: int) -> int:
    """
    Keep run numbers from being used twice after commits were lost, and return how many were left out.

    A failover to a standby that lagged loses commits: it knows neither the runs nor that their numbers are used. A body
    that still runs under such a number must not be mistaken for another one.
    """
    ((skipped,),) = connection.execute("skip_numbers", seen=seen)
    return int(skipped)


def give_back(connection: Connection, *, runs: Iterable[int], node: str) -> frozenset[int]:
    """Return runs whose bodies have not begun to the queue. The caller vouches for that."""
    return frozenset(run_id for (run_id,) in connection.execute("give_back_runs", runs=array(list(runs)), node=node))


def owned(connection: Connection, *, node: str, since: int = 0) -> dict[int, RunState]:
    """Return the active runs, from this number on, that the database believes to be this node's."""
    return {run_id: RunState(state) for run_id, state in connection.execute("owned_runs", node=node, since=since)}


@dataclass(frozen=True, slots=True, kw_only=True)
class NextDue:
    """Seconds until something is due. Negative: it is overdue. ``None``: the queue is empty."""

    job: float | None
    run: float | None
    """A waiting run that this node may take."""

    held: float | None
    """A held run whose time comes."""

    pause: float | None
    """The end of a pause."""

    paused_queues: Mapping[str, float | None]
    """Queues that are paused, and the end of each pause. ``None``: when somebody resumes it."""


def cancel_orphans(connection: Connection, *, limit: int, now: datetime | None = None) -> int:
    """Cancel up to ``limit`` held runs of deleted jobs and return their number."""
    return len(connection.execute("cancel_orphaned_runs", limit=limit, now=now))


def next_due(
    connection: Connection,
    *,
    tasks: Collection[str],
    executors: Collection[str],
    since: datetime | None = None,
    held: bool = True,
    now: datetime | None = None,
) -> NextDue:
    """
    Ask when the next job is due, the next waiting run may start that this node may take, or a pause ends.

    ``since``: no job is due before this. ``held``: whether to look at held runs as well.
    """
    ((job_seconds, run_seconds, held_seconds, pause_seconds, paused_queues),) = connection.execute(
        "next_due",
        tasks=list(tasks),
        executors=list(executors),
        since=since,
        held=held,
        now=now,
        tzdata=zone_rules.rank(),
    )
    return NextDue(
        job=job_seconds,
        run=run_seconds,
        held=held_seconds,
        pause=pause_seconds,
        paused_queues=json.loads(paused_queues or "{}"),
    )
