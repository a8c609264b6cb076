"""
Held runs: those that wait until their job has room. They are released a few at a time, however many there are.

A run is released when another one of its job is recorded, or when its own time comes. Other causes (a limit that was
raised, a run that somebody cancelled, a job that was locked at that moment) are found by visiting all jobs with held
runs, a few at each pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from scheduler.loops import Slice
from scheduler.store.sessions.connections import Connection, array, texts
from scheduler.store.sessions.halving import QUICK_SECONDS
from scheduler.untouched import time

_MOST_JOBS = 200
"""Jobs that are looked at together, and locked together for some milliseconds."""

_MOST_RUNS = 1000
"""Runs that are released together, or one for each job."""

_LEAST_JOBS = 10
"""Jobs that are visited together at least, however long their held runs take to find."""

_ROUND_SECONDS = 0.05
"""Share of a pass for visiting jobs with held runs: due jobs of this node wait for it."""


def release_behind(connection: Connection, *, runs: Iterable[int], now: datetime | None = None) -> int:
    """Queue held runs of the same jobs in place of these, which have ended, and return their number."""
    found = connection.execute("held_jobs_of_runs", runs=array(list(runs)), now=now)
    return _release(connection, [job_id for (job_id,) in found if job_id is not None], now)


class HeldRuns:
    """Releases what becomes due, and goes round the jobs that hold runs. Used by one thread."""

    def __init__(self) -> None:
        self._due_until: datetime | None = None
        self._after = ""
        # A run that was released leaves entries in the indexes until they are cleaned up: a visit passes over them.
        self._visiting = Slice(seconds=_ROUND_SECONDS, least=_LEAST_JOBS, most=_MOST_JOBS)

    def release(self, connection: Connection, *, now: datetime | None = None) -> int:
        """Queue held runs whose job has room, a bounded number, and return their number."""
        return self._release_due(connection, now) + self._visit_jobs(connection, now)

    def _release_due(self, connection: Connection, now: datetime | None) -> int:
        found = connection.execute("held_jobs_newly_due", since=self._due_until, limit=_MOST_JOBS, now=now)
        released = _release(connection, sorted({job_id for job_id, _ in found if job_id is not None}), now)
        if found:
            self._due_until = found[-1][1]
        return released

    def _visit_jobs(self, connection: Connection, now: datetime | None) -> int:
        released = 0
        ends_at = time.monotonic() + _ROUND_SECONDS
        while True:
            with self._visiting.spent() as most:
                found = connection.execute("held_jobs_after", after=self._after, limit=most, now=now)
                released += _release(connection, [job_id for job_id, has_room in found if has_room], now)
            self._after = found[-1][0] if len(found) == most else ""
            if not self._after or time.monotonic() >= ends_at:
                return released


def _release(connection: Connection, jobs: Sequence[str], now: datetime | None) -> int:
    released = 0
    for place in range(0, len(jobs), _MOST_JOBS):
        with connection.transaction(lock_seconds=QUICK_SECONDS) as transaction:
            wanted = texts(jobs[place : place + _MOST_JOBS])
            locked = [job_id for (job_id,) in transaction.execute("lock_jobs", jobs=wanted)]
            if locked:
                limit = max(1, _MOST_RUNS // len(locked))
                released += len(transaction.execute("release_held_runs", jobs=texts(locked), limit=limit, now=now))
    return released
