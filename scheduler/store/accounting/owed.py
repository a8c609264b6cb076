"""
Fire times that are owed: the database noted that the ledger does not account for them.

A trigger notes a window when ``next_run_time`` is moved past a fire time, or a job is paused or deleted, without rows
for it. Entering a range notes one as well, when a part of it has a row already. The fire times of the window that no
row covers are entered as skipped here, by one node at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from scheduler.core import reasons, triggers
from scheduler.core.triggers import Trigger
from scheduler.core.triggers.budget import PLAN_STEPS, Budget
from scheduler.errors import InvalidTrigger
from scheduler.store.recording import rollups
from scheduler.store.sessions.connections import Connection, array, instants, texts
from scheduler.store.sessions.halving import QUICK_SECONDS, in_halves
from scheduler.store.sessions.transaction import Transaction
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

MOST_WINDOWS = 20
"""Windows that are dealt with together."""

_MOST_ROWS = 500
"""Rows that one step reads or writes. The next step continues with the rest of the window."""

_LOCK = 0x5C4ED0E
"""One node at a time: two windows of a deleted job may overlap, and its row cannot be locked any more."""

_INSTANT = timedelta(microseconds=1)
_MOST_COALESCED = 2**31 - 1

_REASONS = {
    "": reasons.JOB_DELETED_BEFORE,
    "paused": reasons.JOB_PAUSED,
    "finished": reasons.JOB_FINISHED,
}


class Window(NamedTuple):
    """A window that is owed, locked. Its fields are the columns of ``lock_owed``."""

    id: int
    job: str
    trigger: str
    first: datetime
    until: datetime
    exists: bool
    state: str
    is_jobs_debt: bool


class Gap(NamedTuple):
    """Fire times without a row, all after one another."""

    first: datetime
    last: datetime
    fire_times: int


def find(connection: Connection, *, after: int = 0, limit: int = MOST_WINDOWS) -> tuple[int, ...]:
    """Return the oldest windows that are owed, from a number on."""
    return tuple(window for (window,) in connection.execute("find_owed", after=after, limit=limit))


def account(connection: Connection, *, windows: Sequence[int], node: str, now: datetime | None = None) -> int:
    """Account for these windows, or for as much of them as one step allows, and return the number of new rows."""
    entered = in_halves(
        windows,
        lambda part: _account(connection, part, node=node, now=now),
        lambda window, _: connection.execute("forget_owed", windows=array([window])),
    )
    return sum(entered)


def _account(connection: Connection, windows: Sequence[int], *, node: str, now: datetime | None) -> int:
    entered: list[int] = []
    done: list[int] = []
    with connection.transaction(lock_seconds=QUICK_SECONDS) as transaction:
        if not transaction.execute("try_lock", lock=_LOCK)[0][0]:
            return 0
        for window in _locked(transaction, windows, now=now):
            if not window.is_jobs_debt and window.first <= window.until:
                rest = _enter(transaction, window, entered)
                if rest is not None:
                    transaction.execute("settle_owed", window=window.id, first=rest)
                    continue
            done.append(window.id)
        if done:
            transaction.execute("forget_owed", windows=array(done))
        rollups.roll_up(transaction, runs=entered, node=node)
    return len(entered)


def _locked(transaction: Transaction, windows: Sequence[int], *, now: datetime | None) -> list[Window]:
    """
    Lock windows with their jobs, and return them as they stand under these locks.

    Without the lock on its job, a claim could cover the same fire times. A window whose job somebody else has locked
    comes with the next look.
    """
    seen = [Window._make(row) for row in transaction.execute("lock_owed", windows=array(windows), now=now)]
    jobs = sorted({window.job for window in seen if window.exists})
    held = {job for (job,) in transaction.execute("lock_jobs", jobs=texts(jobs))} if jobs else set()
    free = [window.id for window in seen if not window.exists or window.job in held]
    return [Window._make(row) for row in transaction.execute("lock_owed", windows=array(free), now=now)]


def _enter(transaction: Transaction, window: Window, entered: list[int]) -> datetime | None:
    """Enter the fire times without a row. Return where the rest of the window begins, or ``None`` when all is done."""
    covered = transaction.execute("covered", job=window.job, first=window.first, until=window.until, limit=_MOST_ROWS)
    is_whole = len(covered) < _MOST_ROWS
    until = window.until if is_whole else min(window.until, covered[-1][1])
    try:
        with Budget(PLAN_STEPS):
            trigger = triggers.parse_cached(window.trigger)
            found = gaps(trigger=trigger, first=window.first, until=until, covered=covered)
            rest = None if is_whole else trigger.next_after(until)
    except InvalidTrigger as error:  # nobody can say when it should have fired
        logger.warning(events.OWED_CANNOT_BE_COMPUTED, extra={"job": window.job, "error": str(error)})
        return None
    if found:
        rows = transaction.execute(
            "enter_skipped",
            window=window.id,
            scheduled_at=instants([gap.last for gap in found]),
            covers_from=instants([gap.first if gap.fire_times > 1 else None for gap in found]),
            coalesced=array([min(gap.fire_times - 1, _MOST_COALESCED) for gap in found]),
            reason_code=_REASONS.get(window.state if window.exists else "", reasons.MOVED_PAST).code,
        )
        entered += [run_id for (run_id,) in rows]
        logger.warning(
            events.RUN_SKIPPED,
            extra={
                "job": window.job,
                "scheduled_at": found[-1].last,
                "fire_times": sum(gap.fire_times for gap in found),
            },
        )
    return rest if rest is not None and rest <= window.until else None


def gaps(
    *, trigger: Trigger, first: datetime, until: datetime, covered: Sequence[tuple[datetime, datetime]]
) -> list[Gap]:
    """Return the fire times from ``first`` to ``until`` outside the ranges, which are in order."""
    found: list[Gap] = []
    at: datetime | None = first
    for begin, end in covered:
        if at is None or at > until:
            return found
        if at != begin == end and trigger.next_after(begin - _INSTANT) != begin:
            continue  # a run that a person asked for has the instant at which that was
        if at < begin:
            found.append(_gap(trigger, at, min(begin - _INSTANT, until)))
        if at <= end:
            at = trigger.next_after(end)
    if at is not None and at <= until:
        found.append(_gap(trigger, at, until))
    return found


def _gap(trigger: Trigger, first: datetime, until: datetime) -> Gap:
    last = trigger.latest(first=first, until=until)
    return Gap(first=first, last=last, fire_times=trigger.count(first=first, until=last))
