"""Have the brokers of remote executors rung, by threads of their own."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.engine.duty import Agenda, Duty, Work
from scheduler.remote import executors
from scheduler.store.sessions.notifications import Channel


class Ring(Duty):
    """
    Wake the ringers of brokers for which runs wait.

    Hints, the claim and the look ahead name them by the tracks that they see anyway. Without a remote executor this
    duty is never asked for.
    """

    wakes_on = Channel.RUNS
    merge_seconds = 0.02

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._brokers: set[str] = set()

    def hear(self, subject: str) -> None:
        self.note_waiting([subject])

    def note_waiting(self, tracks: Iterable[str]) -> None:
        """Runs of remote executors wait on these tracks."""
        found = {broker for broker in map(executors.broker_of, tracks) if broker is not None}
        if found:
            self._brokers |= found
            self.soon()

    def run(self) -> None:
        """Wake those that were named, and those that worked before."""
        self.work.ringers.wake(self._brokers)
        self._brokers.clear()
