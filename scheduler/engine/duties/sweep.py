"""Find what no change announces: a task that the last node offered, a job deleted by SQL."""

from __future__ import annotations

from scheduler.engine.duties.inspection import LEAST_JOBS, MOST_JOBS, STEP_SECONDS, break_jobs_without_a_task
from scheduler.engine.duty import Agenda, Duty, Work
from scheduler.loops import Slice
from scheduler.store.recording import runs

_MOST_RUNS = 500
"""Runs that one pass cancels at most. The next one continues, after the claim."""

_LEAST_RUNS = 50


class Sweep(Duty):
    """Take jobs without a task out of the schedule, and cancel runs that wait behind a deleted job."""

    every_seconds = 60.0

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._breaking = Slice(seconds=STEP_SECONDS, least=LEAST_JOBS, most=MOST_JOBS)
        self._cancelling = Slice(seconds=STEP_SECONDS, least=_LEAST_RUNS, most=_MOST_RUNS)

    def run(self) -> float | None:
        with self._breaking.spent() as most_jobs:
            broken = break_jobs_without_a_task(self.work.connection, limit=most_jobs)
        with self._cancelling.spent() as most_runs:
            cancelled = runs.cancel_orphans(self.work.connection, limit=most_runs)
        return 0.0 if broken >= most_jobs or cancelled >= most_runs else None
