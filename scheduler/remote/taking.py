"""The start gate of workers: rings become runs that this worker may begin, or are dropped."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial

from scheduler.core.states import RunState
from scheduler.core.tasks.limits import share_of
from scheduler.core.tasks.registry import registry
from scheduler.errors import StatementCancelled
from scheduler.remote.executors import Ring
from scheduler.store.claiming import limits
from scheduler.store.claiming import rings as store
from scheduler.store.recording import finishing, runs
from scheduler.store.recording.runs import OwnedRun
from scheduler.store.sessions.connections import Connection, concerns_rows
from scheduler.telemetry import events
from scheduler.untouched import json, time

logger = logging.getLogger(__name__)

_DECIDING_SECONDS = 5.0
"""Longest wait for a node that decides about limits. It takes some milliseconds."""

_PAUSE_SECONDS = 0.05


def take(
    connection: Connection, *, node: str, rings: Sequence[Ring], now: datetime | None = None
) -> Iterator[OwnedRun]:
    """
    Ask the start gate for attempts of runs, in the name of a worker's row.

    Each run that is yielded is running, and its body begins at once. The other messages are to be dropped, because
    their runs have begun, have ended, may not begin now, or have tasks that this process does not know. A run that
    still waits is rung again. All are answered when the iterator has ended.

    ``node`` is the row of a worker of the kind of the runs' executor. Workers that stop or are lost get no runs.

    :raises DatabaseUnavailable: no further body may begin
    """
    known = registry.names()
    limited = frozenset(name for name in known if registry.get(name).limits is not None)
    taken = _through_the_gate(connection, node=node, rings=rings, tasks=known, limited=limited, now=now)
    yield from (run for run in taken if run.task not in limited)
    if len(taken) < len(rings):
        _turn_down(connection, node=node, rings=_without(rings, taken), now=now)
    for run in taken:
        if run.task in limited and _is_permitted(connection, run, node=node, now=now):
            yield run


def stale(connection: Connection, *, rings: Sequence[Ring]) -> frozenset[Ring]:
    """Return the rings whose messages can be dropped unasked: their attempts wait no longer."""
    waiting = store.still_waiting(connection, attempts=rings)
    return frozenset(ring for ring in rings if ring.run not in waiting)


def give_back(connection: Connection, *, node: str, rings: Sequence[Ring]) -> None:
    """
    Have waiting runs rung again at once: this worker stops, and does not take what it was rung for.

    :raises DatabaseUnavailable: they are rung again later
    """
    store.turn_down(connection, node=node, attempts=rings, tasks=registry.names(), at_once=True)


def _through_the_gate(
    connection: Connection,
    *,
    node: str,
    rings: Sequence[Ring],
    tasks: Collection[str],
    limited: Collection[str],
    now: datetime | None,
) -> list[OwnedRun]:
    """Ask for all in one transaction, and for each by itself if one of their rows makes that fail."""
    ask = partial(_through_the_gate, connection, node=node, tasks=tasks, limited=limited, now=now)
    try:
        return store.take(connection, node=node, attempts=rings, tasks=tasks, limited=limited, now=now)
    except Exception as error:
        if not concerns_rows(error):
            raise
        if len(rings) > 1:
            return [run for ring in rings for run in ask(rings=[ring])]
        if not isinstance(error, StatementCancelled):  # somebody keeps the row locked
            # Whatever this row raises, it would raise at each ring.
            finishing.set_apart(connection, run=rings[0].run, state=RunState.FAILED, error=error)
        return []


def _without(rings: Sequence[Ring], taken: Iterable[OwnedRun]) -> list[Ring]:
    begun = {run.id for run in taken}
    return [ring for ring in rings if ring.run not in begun]


def _turn_down(connection: Connection, *, node: str, rings: Sequence[Ring], now: datetime | None) -> None:
    """Note why runs that still wait were not taken. Mostly they were taken before: then there is nothing to note."""
    for lacked in store.turn_down(connection, node=node, attempts=rings, tasks=registry.names(), now=now):
        logger.warning(events.RING_TURNED_DOWN, extra={"run": lacked.id, "task": lacked.task, "node": node})


def _is_permitted(connection: Connection, taken: OwnedRun, *, node: str, now: datetime | None) -> bool:
    """
    Request the start of a queued run that this worker owns, and return whether it is running.

    Without permission it waits for its turn elsewhere.
    """
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
                return True
        if permits is not None and taken.id in permits.parked:
            parked = Ring(run=taken.id, attempt=taken.attempt, ring=1)
            store.turn_down(connection, node=node, attempts=[parked], tasks=registry.names(), at_once=True, now=now)
            return False
        if time.monotonic() > until:
            runs.give_back(connection, runs=[taken.id], node=node)
            return False
        time.sleep(_PAUSE_SECONDS)
