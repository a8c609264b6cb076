"""Rings that a worker received and has not answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
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

    def next_ones(self, most: int) -> list[Received]:
        """Take out the oldest, at most so many."""
        found: list[Received] = []
        with suppress(IndexError):  # there are no more, or the reader has forgotten them meanwhile
            while len(found) < most:
                found.append(self._waiting.popleft())
        return found

    def return_to_front(self, several: Iterable[Received]) -> None:
        """Undo ``next_ones``."""
        self._waiting.extendleft(reversed(list(several)))

    def return_to_end(self, several: Iterable[Received]) -> None:
        self._waiting.extend(several)

    def forget(self) -> None:
        """Drop all: their messages belong to a connection that is over, and the broker delivers them again."""
        self._waiting.clear()
