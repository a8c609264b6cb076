"""Deleted jobs that had many runs: the runs are detached in the background, and stay as history."""

from __future__ import annotations

from scheduler.store.sessions.connections import Connection

MOST_RUNS = 1000
"""Runs that are detached together at most: some ten milliseconds on an idle machine."""


def detach(connection: Connection, *, limit: int = MOST_RUNS) -> int:
    """Detach some of the runs of a deleted job and return their number. A job without further runs is forgotten."""
    return sum(is_detached for (is_detached,) in connection.execute("detach_runs", limit=limit))
