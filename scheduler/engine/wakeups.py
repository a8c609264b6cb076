"""Wake-ups: what ends the sleep of the tick before its time."""

from __future__ import annotations

import logging
import threading

from scheduler import failpoints
from scheduler.errors import DatabaseUnavailable
from scheduler.store.notifications import Channel, Listener

logger = logging.getLogger(__name__)

_PROBE_SECONDS = 10.0
"""How often the silent session is asked for a sign of life."""


class Wakeups:
    """An event that the tick waits on, set by hints from the database and from inside the node."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._stopping = threading.Event()
        self._listener = Listener()
        self._channels: set[Channel] = set()
        self._thread = threading.Thread(target=self._listen, name="scheduler-listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """End the current or the next wait."""
        if not self._event.is_set():
            self._event.set()

    def wait(self, *, timeout: float) -> None:
        """Sleep until a hint comes or the time is up."""
        self._event.wait(timeout)
        self._event.clear()

    def heard(self) -> frozenset[Channel]:
        """Return the channels of the hints from the database since the last call."""
        channels = frozenset(self._channels)
        self._channels -= channels
        return channels

    def stop(self) -> None:
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._listener.interrupt()
        if self._thread.is_alive():
            self._thread.join(5)
        self.wake()

    def _listen(self) -> None:
        pause = 0.1
        while not self._stopping.is_set():
            try:
                failpoints.hit("listen.loop")
                channels = self._listener.wait(timeout=_PROBE_SECONDS)
                if not channels and not self._stopping.is_set():
                    self._listener.probe()
            except DatabaseUnavailable as error:
                logger.warning("scheduler.listener.lost", extra={"error": str(error)})
            except Exception:  # without this thread edits would be noticed late, and nobody would say so
                logger.exception("scheduler.listener.failed")
            else:
                pause = 0.1
                if channels:
                    self._channels |= channels
                    self.wake()
                continue
            self._stopping.wait(pause)
            pause = min(pause * 2, 5.0)
        self._listener.close()
