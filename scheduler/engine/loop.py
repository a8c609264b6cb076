"""The loop of a node: its duties, in passes, and how long it sleeps between them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from scheduler.engine.duties import DUTIES, LookAhead, Reconcile, Take, Work
from scheduler.engine.duty import AnyDuty, Duty
from scheduler.errors import DatabaseUnavailable
from scheduler.loops import Loop
from scheduler.store.sessions.notifications import Hint
from scheduler.telemetry import events
from scheduler.untouched import time

if TYPE_CHECKING:
    from scheduler.engine.node import Node

LONGEST_PAUSE_SECONDS = 5.0
"""Between two passes that fail, or of a scheduler that is paused."""

logger = logging.getLogger(__name__)


class NodeLoop:
    """The passes of one node. All calls come from one thread, except where it says so."""

    def __init__(self, work: Work, *, duties: tuple[type[Duty], ...] = DUTIES) -> None:
        self._work = work
        self._duties = tuple(kind(work, self) for kind in duties)
        self._by_kind = {kind: duty for duty in self._duties for kind in type(duty).__mro__}
        """Each duty under its class and those that this extends."""

        self.found_nothing = False
        """Whether the last pass had no due, waiting or owned runs."""

        self.progressed_at = time.monotonic()
        """When a pass last ended well, on the monotonic clock."""

    def duty(self, kind: type[AnyDuty]) -> AnyDuty:
        found = self._by_kind[kind]
        assert isinstance(found, kind)  # noqa: S101 - the dictionary is filled by kind
        return found

    def ask(self, kind: type[Duty]) -> None:
        duty = self._by_kind.get(kind)
        if duty is not None:
            duty.soon()

    def hear(self, hints: Collection[Hint]) -> None:
        """Ask for the duties that hints from the database concern."""
        for hint in hints:
            for duty in self._duties:
                if duty.wakes_on is hint.channel:
                    duty.hear(hint.subject)

    def look_for_runs(self) -> None:
        """Runs may wait that this node has not heard of in time: ask again. Safe in any thread."""
        self.duty(Take).look_again()
        self.ask(LookAhead)

    def wants_runs(self, executor: str) -> bool:
        """Return whether a pass would give this executor more work. Safe in any thread."""
        return self.duty(Take).wants_runs(executor)

    def run(self) -> float:
        """
        Do one pass and return how many seconds to sleep.

        A duty that fails does not keep the others from being done: its error is raised when they are.

        :raises DatabaseUnavailable: what this node owns is compared with the database in the next pass
        """
        if not self._work.lease.is_valid:
            return self._work.settings.busy_poll_seconds
        failures: list[Exception] = []
        for duty in self._duties:
            now = time.monotonic()
            if duty.is_due(now) and not self._leaves_out(duty):
                try:
                    duty.call(now)
                except DatabaseUnavailable:
                    self.duty(Reconcile).soon()
                    raise
                except Exception as error:  # noqa: BLE001 - whatever it was, the other duties serve other jobs
                    failures.append(error)
        if failures:
            raise failures[0]
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
        awaited = (duty for duty in self._duties if duty.ends_sleep and not self._leaves_out(duty))
        earliest = min(duty.next_at() for duty in awaited)
        return max(0.0, min(longest, earliest - time.monotonic()))


class Passes(Loop):
    """The thread in which a node does its passes, as long as its scheduler is not paused."""

    def __init__(self, *, node: Node, is_running: Callable[[], bool] = lambda: True) -> None:
        super().__init__(name="scheduler-tick", fault=events.TICK_FAILED)
        self.longest_backoff_seconds = LONGEST_PAUSE_SECONDS
        self._node = node
        self._is_running = is_running

    def turn(self) -> float:
        return self._node.run_once() if self._is_running() else LONGEST_PAUSE_SECONDS

    def wait(self, seconds: float) -> None:
        self._node.wakeups.sleep(timeout=seconds)

    def interrupt(self) -> None:
        self._node.wakeups.wake()

    def unavailable(self, error: DatabaseUnavailable, *, pause: float) -> None:
        logger.warning(events.TICK_WAITS_FOR_THE_DATABASE, extra={"error": str(error), "pause": pause})
