"""The loop of a node: its duties, in passes, and how long it sleeps between them."""

from __future__ import annotations

from scheduler.engine.duties import DUTIES, LookAhead, Reconcile, Take, Work
from scheduler.engine.duty import AnyDuty, Duty
from scheduler.errors import DatabaseUnavailable
from scheduler.store.sessions.notifications import Channel
from scheduler.untouched import time


class NodeLoop:
    """The passes of one node. All calls come from one thread, except where it says so."""

    def __init__(self, work: Work, *, duties: tuple[type[Duty], ...] = DUTIES) -> None:
        self._work = work
        self._duties: dict[type[Duty], Duty] = {kind: kind(work, self) for kind in duties}
        self.found_nothing = False
        """Whether the last pass had no due, waiting or owned runs."""

        self.progressed_at = time.monotonic()
        """When a pass last ended well, on the monotonic clock."""

    def duty(self, kind: type[AnyDuty]) -> AnyDuty:
        found = self._duties[kind]
        assert isinstance(found, kind)  # noqa: S101 - the dictionary is filled by kind
        return found

    def hear(self, channels: frozenset[Channel]) -> None:
        """Ask for the duties that hints from the database concern."""
        for duty in self._duties.values():
            if duty.wakes_on in channels:
                duty.soon()

    def look_for_runs(self) -> None:
        """Runs may wait that this node has not heard of in time: ask again. Safe in any thread."""
        self.duty(Take).look_again()
        self.duty(LookAhead).soon()

    def wants_runs(self, executor: str) -> bool:
        """Whether a pass would give this executor more work. Safe in any thread."""
        return self.duty(Take).wants_runs(executor)

    def run(self) -> float:
        """
        Do one pass and return how many seconds to sleep.

        :raises DatabaseUnavailable: what this node owns is compared with the database in the next pass
        """
        if not self._work.lease.is_valid:
            return self._work.settings.busy_poll_seconds
        try:
            for duty in self._duties.values():
                now = time.monotonic()
                if duty.is_due(now) and not self._leaves_out(duty):
                    duty.call(now)
        except DatabaseUnavailable:
            self.duty(Reconcile).soon()
            raise
        pause = self._pause()
        self.found_nothing = pause > 0 and not self.duty(Take).expects_more and self._work.workload.is_idle
        self.progressed_at = time.monotonic()
        return pause

    def _leaves_out(self, duty: Duty) -> bool:
        """A drained node takes no more runs, and does everything else."""
        return duty.takes_runs and self._work.lease.is_drained

    def _pause(self) -> float:
        """Return how long until the earliest duty is due, at most as long as polling allows."""
        settings = self._work.settings
        longest = settings.poll_seconds if self._work.workload.is_idle else settings.busy_poll_seconds
        awaited = (duty for duty in self._duties.values() if duty.ends_sleep and not self._leaves_out(duty))
        earliest = min(duty.next_at() for duty in awaited)
        return max(0.0, min(longest, earliest - time.monotonic()))
