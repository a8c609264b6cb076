"""Spacing between requests to one host, over all threads of this process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

_HOSTS = 10_000
"""Most hosts remembered; the one not asked for the longest time goes first."""


class HostGates:
    """One gate for each host: whoever comes through keeps it closed for a while."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opens_at: OrderedDict[str, float] = OrderedDict()
        self._never = threading.Event()

    def pass_through(self, *, host: str, delay_seconds: float, patience_seconds: float) -> float | None:
        """
        Wait for this caller's turn, and return how long that took in seconds.

        Turns are given in the order of asking, so no thread overtakes or starves another. ``None`` if the turn would
        come later than ``patience_seconds``: then nothing was waited for or taken.
        """
        with self._lock:
            now = time.monotonic()
            turn_at = max(now, self._opens_at.get(host, now))
            if turn_at - now > patience_seconds:
                return None
            self._opens_at[host] = turn_at + delay_seconds
            self._opens_at.move_to_end(host)
            while len(self._opens_at) > _HOSTS:
                self._opens_at.popitem(last=False)
        if turn_at > now:
            self._never.wait(turn_at - now)
        return turn_at - now
