"""Windows of time as ranges of ids: the ledger has an index by id, and none by time that could be read in order."""

from __future__ import annotations

from datetime import datetime, timedelta

from scheduler.store import database, statements

SLACK = timedelta(minutes=10)
"""Ids follow the time of entry but for the length of a transaction and a step of the database's clock."""

LEAST = 10_000
"""A ledger of fewer ids is read whole as fast."""


def ids(*, since: datetime | None, until: datetime | None) -> tuple[int | None, int | None]:
    """
    Return the first id that a run entered since then may have, and the first that one entered before ``until`` cannot.

    ``None``: the window is open on that side, or a bound is not worth its search. The range is a little wider than the
    window, which has to be filtered for as well.
    """
    low = None if since is None else _earlier(since)
    high = None if until is None else _later(until)
    instants = sorted({instant for instant in (low, high) if instant is not None})
    if not instants:
        return None, None
    with database.cursor() as cursor:
        cursor.execute(statements.load("find_runs_by_time"), {"instants": instants, "least": LEAST})
        found: dict[datetime, int] = dict(cursor.fetchall())
    return (found.get(low) if low else None), (found.get(high) if high else None)


def _earlier(instant: datetime) -> datetime:
    try:
        return instant - SLACK
    except OverflowError:
        return instant


def _later(instant: datetime) -> datetime:
    try:
        return instant + SLACK
    except OverflowError:
        return instant
