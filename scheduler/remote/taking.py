"""The start gate of workers: a ring becomes a run that this worker may begin, or is dropped."""

from __future__ import annotations

import logging
from datetime import datetime

from scheduler.core.states import RunState
from scheduler.core.tasks.limits import share_of
from scheduler.core.tasks.registry import registry
from scheduler.errors import StatementCancelled
from scheduler.store.claiming import limits, rings
from scheduler.store.recording import finishing, runs
from scheduler.store.recording.runs import OwnedRun
from scheduler.store.sessions.connections import Connection, concerns_rows
from scheduler.telemetry import events
from scheduler.untouched import json, time

logger = logging.getLogger(__name__)

_DECIDING_SECONDS = 5.0
"""Longest wait for a node that decides about limits. It takes some milliseconds."""

_PAUSE_SECONDS = 0.05


def take(connection: Connection, *, node: str, run: int, attempt: int, now: datetime | None = None) -> OwnedRun | None:
    """
    Ask the start gate for one attempt of a run, in the name of a worker's row.

    The run that is returned is running, and its body begins at once. ``None``: the message is to be dropped, because
    the run has begun, has ended, may not begin now, or has a task that this process does not know. As long as it waits,
    it is rung again.

    ``node`` is the row of a worker of the kind of the run's executor. Workers that stop or are lost get no runs.

    :raises DatabaseUnavailable: no body may begin
    """
    known = registry.names()
    limited = [name for name in known if registry.get(name).limits is not None]
    try:
        taken = rings.take(connection, node=node, run=run, attempt=attempt, tasks=known, limited=limited, now=now)
    except StatementCancelled:  # somebody keeps the row locked
        return None
    except Exception as error:  # whatever this row raises, it would raise at each ring
        if not concerns_rows(error):
            raise
        finishing.set_apart(connection, run=run, state=RunState.FAILED, error=error)
        return None
    if taken is None:
        _turn_down(connection, node=node, run=run, attempt=attempt, now=now)
        return None
    return _under_limits(connection, taken, node=node, now=now) if taken.task in limited else taken


def give_back(connection: Connection, *, node: str, run: int, attempt: int) -> None:
    """
    Have a waiting run rung again at once: this worker stops, and does not take what it was rung for.

    :raises DatabaseUnavailable: it is rung again later
    """
    rings.turn_down(connection, node=node, run=run, attempt=attempt, tasks=registry.names(), at_once=True)


def _turn_down(connection: Connection, *, node: str, run: int, attempt: int, now: datetime | None) -> None:
    """Note why a run that still waits was not taken. Mostly it was taken before: then there is nothing to note."""
    lacking = rings.turn_down(connection, node=node, run=run, attempt=attempt, tasks=registry.names(), now=now)
    if lacking:
        logger.warning(events.RING_TURNED_DOWN, extra={"run": run, "task": lacking, "node": node})


def _under_limits(connection: Connection, taken: OwnedRun, *, node: str, now: datetime | None) -> OwnedRun | None:
    """Request the start of a queued run that this worker owns. Without permission it waits for its turn elsewhere."""
    task = registry.get(taken.task)
    assert task.limits is not None  # noqa: S101 - the caller asks for no other
    arguments = task.named(args=json.loads(taken.args), kwargs=json.loads(taken.kwargs))
    shares = {taken.id: share_of(limits=task.limits, arguments=arguments)}
    until = time.monotonic() + _DECIDING_SECONDS
    while True:
        permits = limits.request_start(connection, node=node, shares=shares, now=now)
        if permits is not None and taken.id in permits.granted:
            started = runs.start(connection, runs=[taken.id], node=node, now=now)
            if taken.id in started.runs:
                return taken
        if permits is not None and taken.id in permits.parked:
            rings.turn_down(
                connection,
                node=node,
                run=taken.id,
                attempt=taken.attempt,
                tasks=registry.names(),
                at_once=True,
                now=now,
            )
            return None
        if time.monotonic() > until:
            runs.give_back(connection, runs=[taken.id], node=node)
            return None
        time.sleep(_PAUSE_SECONDS)
