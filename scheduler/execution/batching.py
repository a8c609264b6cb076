"""A bounded batch writer: many threads add items, one thread flushes them into a sink, which may be anything."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from scheduler.errors import DatabaseUnavailable
from scheduler.loops import Loop
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


class Batcher(Loop, Generic[Item]):
    """
    Gather items and hand them to ``flush`` in groups.

    A flush that fails for want of a database is kept and retried, and so are the items that it returns, behind those
    that came since. ``add`` waits while the backlog is full. ``stop`` writes the rest. ``weigh`` says how much memory
    an item takes, roughly: groups and backlog are bounded by it as well.
    """

    first_backoff_seconds = 0.05
    longest_backoff_seconds = 2.0

    def __init__(
        self,
        *,
        name: str,
        flush: Callable[[Sequence[Item]], Sequence[Item]],
        gather_seconds: float,
        rows: int,
        backlog: int,
        weigh: Callable[[Item], int] = lambda _: 0,
        group_weight: int = 0,
        backlog_weight: int = 1,
    ) -> None:
        super().__init__(name=name, fault=events.RECORDER_FAILED)
        self._flush = flush
        self._gather_seconds = gather_seconds
        self._rows = rows
        self._backlog = backlog
        self._weigh = weigh
        self._group_weight = group_weight
        self._backlog_weight = backlog_weight
        self._weight = 0
        self._weighing = threading.Lock()
        self._items: deque[Item] = deque()
        self._arrived = threading.Event()
        self._drained = threading.Condition()
        self._abandon = threading.Event()
        self._refused_in_a_row = 0
        self._empty_at = time.monotonic()
        """The last time that somebody asked and the backlog was empty, on the monotonic clock."""

    def __len__(self) -> int:
        return len(self._items)

    def snapshot(self) -> list[Item]:
        """Return what has not been flushed."""
        return list(self._items.copy())

    def add(self, item: Item) -> None:
        """Add an item, waiting while the backlog is full."""
        if len(self._items) >= self._backlog or self._weight >= self._backlog_weight:
            self._wait_for_room()
        self._add(item)

    def offer(self, item: Item) -> bool:
        """Add an optional item. Return false if it was left out because the backlog is full."""
        if self._is_full:
            return False
        self._add(item)
        return True

    @property
    def _is_full(self) -> bool:
        return len(self._items) >= self._backlog or self._weight >= self._backlog_weight

    def _add(self, item: Item) -> None:
        weight = self._weigh(item)
        if weight:  # most weigh nothing, and a lock is not free
            self._change_weight(weight)
        self._items.append(item)
        if not self._arrived.is_set():
            self._arrived.set()

    def _change_weight(self, by: int) -> None:
        with self._weighing:
            self._weight += by

    def _wait_for_room(self) -> None:
        with self._drained:
            while self._is_full and not self._abandon.is_set():
                self._drained.wait(timeout=1)

    def stop(self, *, timeout: float | None = 5.0) -> bool:
        """Write the rest and end. Return false if some of it was not written in time and is dropped."""
        super().stop(timeout=timeout)
        self._abandon.set()
        super().stop(timeout=1.0)
        with self._drained:
            self._drained.notify_all()
        return not self._items

    def silent_seconds(self, now: float) -> float:
        if not self._items:
            self._empty_at = now
        return min(super().silent_seconds(now), now - self._empty_at)

    def interrupt(self) -> None:
        self._arrived.set()

    def is_over(self) -> bool:
        return self._abandon.is_set() or (super().is_over() and not self._items)

    def wait(self, seconds: float) -> None:
        self._abandon.wait(seconds)

    def unavailable(self, error: DatabaseUnavailable, *, pause: float) -> None:
        logger.warning(events.RECORDER_WAITS, extra={"backlog": len(self._items), "error": str(error)})

    def turn(self) -> float:
        self._arrived.wait()
        if not self._items:
            if self._stopping.is_set():
                return 0.0
            self._arrived.clear()
            # An item put between the two lines above has set the event again, or is seen here.
            if not self._items:
                return 0.0
        if len(self._items) < self._rows and not self._stopping.is_set():
            self._stopping.wait(self._gather_seconds)
        if self._flush_once():
            self._refused_in_a_row = 0
            return 0.0
        self._refused_in_a_row += 1
        return self.backoff_seconds(failures=self._refused_in_a_row)

    def _flush_once(self) -> bool:
        """Write a group. Return false if all of it must be written again."""
        batch, weight = self._next_group()
        again = self._flush(batch)
        for _ in batch:
            self._items.popleft()
        self._items.extend(again)
        if weight:
            self._change_weight(sum(map(self._weigh, again)) - weight)
        with self._drained:
            self._drained.notify_all()
        return len(again) < len(batch)

    def _next_group(self) -> tuple[list[Item], int]:
        """Return the oldest items, as many as are flushed together, and their weight. A heavy one goes alone."""
        if not self._weight:  # an item is weighed before it is put: these weigh nothing
            return [self._items[place] for place in range(min(self._rows, len(self._items)))], 0
        group: list[Item] = []
        weight = 0
        for place in range(min(self._rows, len(self._items))):
            item = self._items[place]
            heavier = weight + self._weigh(item)
            if group and heavier > self._group_weight:
                break
            group.append(item)
            weight = heavier
        return group, weight
