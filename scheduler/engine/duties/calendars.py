"""Jobs whose calendars have changed: what a change left over, or somebody wrote meanwhile, follows here."""

from __future__ import annotations

from scheduler.engine.duties.claim import Claim
from scheduler.engine.duty import Agenda, Duty, Work
from scheduler.store import database
from scheduler.store.jobs import replanning

_BATCH = 50


class Calendars(Duty):
    """Check every minute whether a job has other calendars than there are."""

    every_seconds = 60.0
    ends_sleep = False

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._after = ""

    def run(self) -> float | None:
        found = replanning.find(after=self._after, limit=_BATCH, execute=self.work.connection.execute)
        if found:
            with database.borrowed():
                replanning.replan_many(jobs=found, lock_seconds=1)
            self.agenda.duty(Claim).soon()
        self._after = found[-1] if len(found) == _BATCH else ""
        return 0.0 if self._after else None
