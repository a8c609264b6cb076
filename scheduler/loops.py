"""Threads: one base for every loop that lives as long as its process, and one place where others are started."""

from __future__ import annotations

import contextlib
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

from scheduler.errors import DatabaseUnavailable
from scheduler.untouched import time

logger = logging.getLogger(__name__)


class Loop(ABC):
    """
    A thread that takes turn after turn until it is stopped.

    Exceptions of a turn are logged and survived after a pause: a working node matters more than a clean thread. Pauses
    between failing turns double up to ``longest_backoff_seconds``.
    """

    first_backoff_seconds: float = 0.2
    longest_backoff_seconds: float = 5.0
    first_pause_seconds: float = 0.0
    """The delay of the first turn."""

    def __init__(self, *, name: str, fault: str) -> None:
        self.name = name
        self._fault = fault
        """The log event of an unexpected exception."""

        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._turned_at = time.monotonic()

    @abstractmethod
    def turn(self) -> float:
        """Do the work once, in the loop's thread. Return how many seconds to wait before the next turn."""

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def silent_seconds(self, now: float) -> float:
        """Return the seconds since a turn last ended well, or failed for want of the database."""
        return now - self._turned_at

    def start(self) -> None:
        self._stopping.clear()
        self._turned_at = time.monotonic()
        self._thread = spawn(self._run, name=self.name)

    def stop(self, *, timeout: float | None = 5.0) -> bool:
        """
        End after the present turn, however often it is called. Return whether the thread has ended.

        Safe before ``start`` and in the loop's own thread.
        """
        self._stopping.set()
        self.interrupt()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self.is_alive

    def interrupt(self) -> None:  # noqa: B027 - most turns do not wait
        """End a wait inside the present turn. Called by ``stop``, in the caller's thread."""

    def is_over(self) -> bool:
        """Return whether the thread ends now. A loop that finishes its work first overrides this."""
        return self._stopping.is_set()

    def wait(self, seconds: float) -> None:
        """Let time pass between two turns, ended by ``stop``."""
        self._stopping.wait(seconds)

    def close(self) -> None:  # noqa: B027 - most threads hold nothing
        """Release what the thread held, after its last turn."""

    def unavailable(self, error: DatabaseUnavailable, *, pause: float) -> None:
        """Log that a turn failed because the database cannot be used, and that the next one follows after a pause."""
        logger.warning(self._fault, extra={"error": str(error), "pause": pause})

    def backoff_seconds(self, *, failures: int) -> float:
        """Return the pause after so many failing turns in a row."""
        return min(self.first_backoff_seconds * 2.0 ** min(failures - 1, 30), self.longest_backoff_seconds)

    def _run(self) -> None:
        failures = 0
        if self.first_pause_seconds > 0:
            self.wait(self.first_pause_seconds)
        while not self.is_over():
            try:
                pause = self.turn()
                failures = 0
                self._turned_at = time.monotonic()
            except DatabaseUnavailable as error:
                failures += 1
                pause = self.backoff_seconds(failures=failures)
                self.unavailable(error, pause=pause)
                self._turned_at = time.monotonic()
            except Exception:  # a fault of ours, or of code that is not ours: the loop must survive it
                failures += 1
                pause = self.backoff_seconds(failures=failures)
                with contextlib.suppress(Exception):  # there may be no memory left to log it
                    logger.exception(self._fault)
            if pause > 0:
                self.wait(pause)
        self.close()


class Periodic(Loop):
    """A loop that does the same again after so many seconds, whether the last turn failed or not."""

    def __init__(self, *, name: str, fault: str, seconds: float) -> None:
        super().__init__(name=name, fault=fault)
        self._seconds = seconds

    @abstractmethod
    def do(self) -> None:
        """Do the work once, in the loop's thread."""

    def turn(self) -> float:
        self.do()
        return self._seconds

    def backoff_seconds(self, *, failures: int) -> float:
        return self._seconds


class Server(Loop):
    """A loop around a server of the standard library that ends when its ``shutdown`` is called."""

    def __init__(self, *, name: str, fault: str, server: Any) -> None:
        super().__init__(name=name, fault=fault)
        self._server = server
        self._has_served = False

    def is_over(self) -> bool:
        # ``shutdown`` waits for ``serve_forever`` to return, so that has to be called even if ``stop`` came first.
        return self._has_served and super().is_over()

    def turn(self) -> float:
        try:
            self._server.serve_forever()
        finally:
            self._has_served = True
        return 0.0

    def interrupt(self) -> None:
        if self.is_alive:
            self._server.shutdown()


def spawn(target: Callable[..., object], *, name: str, args: tuple[Any, ...] = ()) -> threading.Thread:
    """
    Start a daemon thread that ends by itself.

    :raises RuntimeError: the system has no room for another thread
    """
    thread = threading.Thread(target=target, args=args, name=name, daemon=True)
    thread.start()
    return thread


class Share:
    """
    A small share of the time for something that is mostly quick, and may be costly for a while.

    After it took longer than ``quick_seconds`` it is due again when that time has passed ``rest`` times.
    """

    def __init__(self, *, quick_seconds: float, rest: float) -> None:
        self._quick_seconds = quick_seconds
        self._rest = rest
        self._due_at = 0.0

    @property
    def is_due(self) -> bool:
        return time.monotonic() >= self._due_at

    @property
    def seconds(self) -> float:
        """Return the seconds until it is due."""
        return max(0.0, self._due_at - time.monotonic())

    @contextlib.contextmanager
    def spent(self) -> Iterator[None]:
        """Measure it, also when it fails."""
        began = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - began
            if took > self._quick_seconds:
                self._due_at = time.monotonic() + self._rest * took


class Slice:
    """
    How much to do in one step of something large, so that a step takes about so long, however busy the machine is.

    Half as much after a step that took more than twice as long, twice as much after one that took less than half.
    """

    def __init__(self, *, seconds: float, least: int, most: int) -> None:
        self._seconds = seconds
        self._least = least
        self._most = most
        self.size = most

    @contextlib.contextmanager
    def spent(self) -> Iterator[int]:
        """Measure one step, also when it fails. It gets the size."""
        began = time.monotonic()
        try:
            yield self.size
        finally:
            took = time.monotonic() - began
            if took > 2 * self._seconds:
                self.size = max(self._least, self.size // 2)
            elif took < self._seconds / 2:
                self.size = min(self._most, self.size * 2)
