"""Deleted jobs that had many runs: the runs are detached in the background, and stay as history."""

from __future__ import annotations

from scheduler.store.sessions.connections import Connection

MOST_RUNS = 1000
"""Runs that are detached together: some ten milliseconds."""


def detach(connection: Connection) -> int:
    """Detach some of the runs of deleted jobs and return their number."""
    detached = len(connection.execute("detach_runs", limit=MOST_RUNS))
    if detached < MOST_RUNS:
        connection.execute("forget_removed")
    return detached
