"""Wake-ups: hints that end the sleep of the node's loop before its time."""

from __future__ import annotations

import logging
import threading

from scheduler import failpoints
from scheduler.errors import DatabaseUnavailable
from scheduler.loops import Loop
from scheduler.store.sessions.notifications import Hint, Listener
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

_PROBE_SECONDS = 10.0
"""Interval at which a silent session is probed."""


class Wakeups(Loop):
    """An event that the loop waits on, set by hints from the database and from inside the node."""

    first_backoff_seconds = 0.1

    def __init__(self) -> None:
        super().__init__(name="scheduler-listener", fault=events.LISTENER_FAILED)
        self._event = threading.Event()
        self._listener = Listener()
        self._hints: set[Hint] = set()

    def wake(self) -> None:
        """End the current or the next wait."""
        if not self._event.is_set():
            self._event.set()

    def sleep(self, *, timeout: float) -> None:
        """Sleep until a hint comes or the time is up."""
        self._event.wait(timeout)
        self._event.clear()

    def heard(self) -> frozenset[Hint]:
        """Return the hints from the database since the last call."""
        hints = frozenset(self._hints)
        self._hints -= hints
        return hints

    def interrupt(self) -> None:
        self._listener.interrupt()
        self.wake()

    def turn(self) -> float:
        failpoints.hit("listen.loop")
        hints = self._listener.wait(timeout=_PROBE_SECONDS)
        if hints:
            self._hints |= hints
            self.wake()
        elif not self.is_over():
            self._listener.probe()
        return 0.0

    def unavailable(self, error: DatabaseUnavailable, *, pause: float) -> None:
        logger.warning(events.LISTENER_LOST, extra={"error": str(error)})

    def close(self) -> None:
        self._listener.close()
