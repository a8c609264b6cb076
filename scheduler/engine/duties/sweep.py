"""Find what no change announces: a task that the last node offered, a job deleted by SQL."""

from __future__ import annotations

from scheduler.engine.duties.inspection import MOST_JOBS, break_jobs_without_a_task
from scheduler.engine.duty import Duty
from scheduler.store.recording import runs

_MOST_RUNS = 500
"""Runs that one pass cancels. The next one continues, after the claim."""


class Sweep(Duty):
    """Take jobs without a task out of the schedule, and cancel runs that wait behind a deleted job."""

    every_seconds = 60.0

    def run(self) -> float | None:
        broken = break_jobs_without_a_task(self.work.connection)
        cancelled = runs.cancel_orphans(self.work.connection, limit=_MOST_RUNS)
        return 0.0 if broken >= MOST_JOBS or cancelled >= _MOST_RUNS else None
