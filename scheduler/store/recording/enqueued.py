"""Enqueued runs: written in the caller's transaction, missed when they expire, and the queues they wait in."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from scheduler.core.queues.orders import Order
from scheduler.core.tasks.adapters import EndedRun
from scheduler.store import database
from scheduler.store.recording import rollups
from scheduler.store.sessions import notifications
from scheduler.store.sessions.connections import Connection, array, concerns_rows, instants, texts
from scheduler.store.sessions.halving import QUICK_SECONDS
from scheduler.store.sessions.notifications import Channel

MOST_EXPIRED = 500
"""Runs that one statement misses."""


class Written(NamedTuple):
    """The answer to orders. Its fields are the columns of ``enqueue_runs``."""

    created_at: datetime
    refused: Sequence[uuid.UUID] | None
    """Those whose unique key another run has that waits or runs."""


def enqueue(*, orders: Sequence[Order], now: datetime | None = None) -> Written:
    """
    Write runs in one statement on Django's connection.

    They are seen when the caller's transaction commits, and nodes are woken then. A single run, as most calls are, has
    its hint after the commit, which waits for no other.
    """
    if len(orders) == 1 and orders[0].unique_key is None:
        return _enqueue_one(orders[0], now=now)
    (row,) = database.Statements().execute(
        "enqueue_runs",
        now=now,
        public_ids=array([order.public_id for order in orders]),
        tasks=texts([order.task for order in orders]),
        args=texts([order.args for order in orders]),
        kwargs=texts([order.kwargs for order in orders]),
        queues=texts([order.queue for order in orders]),
        tracks=texts([order.track for order in orders]),
        priorities=array([order.priority for order in orders]),
        run_after=instants([order.run_after for order in orders]),
        timeouts=array([order.timeout_seconds for order in orders]),
        lifetimes=array([order.lifetime_seconds for order in orders]),
        unique_keys=texts([order.unique_key for order in orders]),
        policies=texts([order.policies for order in orders]),
        requested_by=texts([order.requested_by for order in orders]),
    )
    return Written._make(row)


def _enqueue_one(order: Order, *, now: datetime | None) -> Written:
    has_transaction = database.has_transaction()
    ((created_at,),) = database.Statements().execute(
        "enqueue_run" if has_transaction else "enqueue_run_now",
        now=now,
        public_id=str(order.public_id),
        task=order.task,
        args=order.args,
        kwargs=order.kwargs,
        queue=order.queue,
        track=order.track,
        priority=order.priority,
        run_after=order.run_after,
        timeout=order.timeout_seconds,
        lifetime=order.lifetime_seconds,
        policies=order.policies,
        requested_by=order.requested_by,
    )
    if has_transaction:
        is_later = order.run_after is not None and order.run_after > created_at
        notifications.notify_after_commit(Channel.RUNS, subject="" if is_later else order.track)
    return Written(created_at=created_at, refused=None)


class WaitingTrack(NamedTuple):
    """A track with a queue in which runs wait. Its fields are the columns of ``waiting_tracks``."""

    track: str
    seconds: float | None
    """Until the first run that this node may take is due. Negative: it is overdue. ``None``: there is none."""


def waiting_tracks(
    connection: Connection, *, tasks: Collection[str], now: datetime | None = None
) -> list[WaitingTrack]:
    """Return the tracks with a queue that have waiting runs."""
    return list(map(WaitingTrack._make, connection.execute("waiting_tracks", tasks=list(tasks), now=now)))


def paused_queues(connection: Connection) -> list[str]:
    """Return the names of the queues that are paused now."""
    return [name for (name,) in connection.execute("paused_queues")]


def expire(connection: Connection, *, node: str, now: datetime | None = None) -> list[EndedRun]:
    """Miss waiting runs that have expired, some at a time, and return them, also those that cannot be counted."""
    try:
        with connection.transaction(lock_seconds=QUICK_SECONDS) as transaction:
            missed = list(map(EndedRun._make, transaction.execute("expire_runs", limit=MOST_EXPIRED, now=now)))
            rollups.roll_up(transaction, runs=[run.id for run in missed], node=node)
    except Exception as error:  # a roll-up is locked, or the times of a run cannot be added up
        if not concerns_rows(error):
            raise
        missed = list(map(EndedRun._make, connection.execute("expire_runs", limit=MOST_EXPIRED, now=now)))
        rollups.count(connection, runs=[run.id for run in missed], node=node)
    return missed
