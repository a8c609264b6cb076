"""A deleted job that is restored has its past runs again: the newest at once, the others in the background."""

from __future__ import annotations

from scheduler.models import RestoredJob
from scheduler.store import database
from scheduler.store.sessions.connections import Connection

MOST_RUNS = 1000
"""Runs that are attached together at most: some ten milliseconds on an idle machine."""


def begin(*, job: str) -> None:
    """Attach the newest runs of a job that the caller's transaction restores. Nodes attach the rest."""
    database.Statements().execute("attach_runs", job=job, limit=MOST_RUNS)
    RestoredJob.objects.get_or_create(job_key=job)


def attach(connection: Connection, *, limit: int = MOST_RUNS) -> int:
    """Attach some of the past runs of restored jobs and return their number."""
    attached = 0
    for (job,) in connection.execute("find_restored"):
        found = len(connection.execute("attach_runs", job=job, limit=limit))
        attached += found
        if not found:
            connection.execute("forget_restored", job=job)
    return attached
