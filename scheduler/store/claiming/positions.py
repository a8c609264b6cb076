"""
Positions: the place in the indexes at which a node begins to read.

A job that was claimed and a run that ended leave entries in the indexes through which they were found. The server keeps
these entries while any transaction is older than that, and a reader that began with the oldest would visit all of them
again and again. So a node notes how far the past reaches, and begins there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from scheduler.core.planning import Active
from scheduler.store.accounting.entering import Statements
from scheduler.store.sessions.connections import Connection, array, texts
from scheduler.untouched import time

_FORGET_SECONDS = 60.0
"""Positions of jobs are looked up anew after this: what past the services was inserted out of turn is counted then."""

_MOST_JOBS = 20_000
"""Positions that are kept. With more jobs, each of them fires so seldom that it leaves little behind."""

_FREQUENT = timedelta(seconds=5)
"""A job that fires at least as often is remembered: it is claimed first while very many are due."""

_MOST_FREQUENT = 1000

_PASS_BY_SECONDS = 10.0
_ADVANCE_SECONDS = 1.0
_SHARE = 300
"""Looking at the whole past takes no more than this part of the time, so that few runs begin late for it."""


class Positions:
    """Used by one thread."""

    def __init__(self, *, whole_seconds: float) -> None:
        """``whole_seconds``: how often jobs that were made due in the past, with SQL, are looked for."""
        self.due_from: datetime | None = None
        """No job is due before this instant. ``None``: unknown."""

        self._whole_seconds = whole_seconds
        self._whole_at = 0.0
        self._advance_at = 0.0
        self._whole_took = 0.0
        self._first_active: dict[str, int] = {}
        self._frequent: dict[str, None] = {}
        self._passed_by: dict[str, float] = {}
        self._forget_at = time.monotonic() + _FORGET_SECONDS

    def advance(self, connection: Connection) -> None:
        """Move past entries that are done, and search the whole past now and then."""
        began = time.monotonic()
        if self.due_from is None or began >= self._whole_at:
            self.due_from = _first_due(connection, since=None)
            self._whole_took = time.monotonic() - began
            self._whole_at = began + max(self._whole_seconds, _SHARE * self._whole_took)
            self._advance_at = began + _ADVANCE_SECONDS
        elif began >= self._advance_at:
            self._advance_at = began + _ADVANCE_SECONDS
            self.due_from = _first_due(connection, since=self.due_from)

    def forget_due(self) -> None:
        """A job may be due in the past now: look at all of it, unless that was done a moment ago and took long."""
        self._whole_at = min(self._whole_at, time.monotonic() + _SHARE * max(0.0, self._whole_took - 0.01))

    def pass_by(self, job: str) -> None:
        """Claim this job no more for a while: somebody has locked rows that its claim needs."""
        self._passed_by[job] = time.monotonic() + _PASS_BY_SECONDS

    def passed_by(self) -> list[str]:
        """Return the jobs that are not to be claimed now."""
        if self._passed_by:
            now = time.monotonic()
            self._passed_by = {job: until for job, until in self._passed_by.items() if until > now}
        return list(self._passed_by)

    def note_moved(self, moved: Iterable[tuple[str, datetime, datetime | None]]) -> None:
        """Remember which of these jobs fire every few seconds: each with when it was due, and when it is due again."""
        for job, due_at, following in moved:
            if following is not None and following - due_at <= _FREQUENT:
                self._frequent.pop(job, None)
                self._frequent[job] = None
        while len(self._frequent) > _MOST_FREQUENT:
            del self._frequent[next(iter(self._frequent))]

    def frequent(self) -> list[str]:
        """Return the jobs that fire every few seconds, as far as they are known here."""
        return list(self._frequent)

    def first_active(self, jobs: Iterable[str]) -> list[int]:
        """Return for each job the lowest number that an active run of it may have."""
        if time.monotonic() >= self._forget_at or len(self._first_active) > _MOST_JOBS:
            self._first_active.clear()
            self._forget_at = time.monotonic() + _FORGET_SECONDS
        found = self._first_active
        return [found.get(job, 0) for job in jobs]

    def note_active(self, first: Mapping[str, int]) -> None:
        """Remember the least number of an active run of each job, as counted while the job was locked."""
        self._first_active.update(first)

    def forget_active(self, jobs: Iterable[str]) -> None:
        for job in jobs:
            self._first_active.pop(job, None)


def _first_due(connection: Connection, *, since: datetime | None) -> datetime | None:
    ((found,),) = connection.execute("first_due", since=since)
    moment: datetime | None = found
    return moment


def count_active(
    transaction: Statements, *, jobs: Sequence[str], since: Sequence[int]
) -> tuple[dict[str, Active], dict[str, int]]:
    """
    Return the active runs of each job that has any, and the least of their numbers.

    ``since``: for each job a lower bound of their numbers.
    """
    active: dict[str, Active] = {}
    first: dict[str, int] = {}
    found = transaction.execute("count_active_runs", jobs=texts(jobs), since=array(since))
    for job_id, runs, manual, waiting, waiting_at, first[job_id] in found:
        active[job_id] = Active(runs=runs, manual=manual, waiting=waiting, waiting_at=waiting_at)
    return active, first
