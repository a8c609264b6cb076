"""Rings that a worker received and has not answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from scheduler.remote.executors import Ring


class Received(NamedTuple):
    """A ring and what is called once it has been answered."""

    ring: Ring
    answered: Callable[[], None]
    """Called once, in the thread of the worker's loop, whatever the answer is."""


class Rings:
    """First in, first out. The reader of the broker adds, the worker's loop takes."""

    def __init__(self) -> None:
        self._waiting: deque[Received] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, received: Received) -> None:
        self._waiting.append(received)

    def next(self) -> Received | None:
        try:
            return self._waiting.popleft()
        except IndexError:  # the reader has forgotten them meanwhile
            return None

    def return_to_front(self, received: Received) -> None:
        self._waiting.appendleft(received)

    def return_to_end(self, several: Iterable[Received]) -> None:
        self._waiting.extend(several)

    def forget(self) -> None:
        """Drop all: their messages belong to a connection that is over, and the broker delivers them again."""
        self._waiting.clear()
