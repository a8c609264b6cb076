"""Let held runs wait in line when their time has come and their job has room."""

from __future__ import annotations

from scheduler.engine.duties.ring import Ring
from scheduler.engine.duties.take import Take
from scheduler.engine.duty import Agenda, Duty, Work
from scheduler.loops import Share
from scheduler.store.recording.held_runs import HeldRuns
from scheduler.untouched import time


class Release(Duty):
    """
    Release held runs that are due.

    One whose job has no room stays held: its turn comes when another run of the job is recorded.
    """

    def __init__(self, work: Work, agenda: Agenda) -> None:
        # While a transaction elsewhere is open, the indexes have what was released since.
        self._share = Share(quick_seconds=0.1, rest=10)
        super().__init__(work, agenda)
        self._held = HeldRuns()

    @property
    def merge_seconds(self) -> float:
        return max(self.work.settings.busy_poll_seconds, self._share.seconds)

    def plan(self, *, seconds: float) -> float:
        """Release runs that are due in this many seconds, and return the time until then."""
        if seconds > 0:
            return seconds
        self.soon()
        return max(0.0, self.next_at() - time.monotonic())

    def run(self) -> None:
        with self._share.spent():
            released = self._held.release(self.work.connection)
        if released:
            take = self.agenda.duty(Take)
            take.look_again()
            take.within(0.0)
            self.agenda.duty(Ring).soon()
