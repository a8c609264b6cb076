"""Find what no change announces: a task that the last node offered, a job deleted by SQL."""

from __future__ import annotations

from scheduler.engine.duties.duty import Duty
from scheduler.engine.duties.inspection import break_jobs_without_a_task
from scheduler.store import runs


class Sweep(Duty):
    """Take jobs without a task out of the schedule, and cancel runs that wait behind a deleted job."""

    every_seconds = 60.0

    def run(self) -> None:
        break_jobs_without_a_task(self.work.connection)
        runs.cancel_orphans(self.work.connection)
