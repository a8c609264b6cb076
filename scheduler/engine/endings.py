"""The ends of runs whose tasks are of another framework, e.g. ``django.tasks``: a thread of its own reports them."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterable

from django.db import Error

from scheduler.core.tasks.adapters import Adapter, EndedRun
from scheduler.core.tasks.registry import registry
from scheduler.errors import UnknownTask
from scheduler.execution import body_connections
from scheduler.loops import Loop
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

_MOST_TOGETHER = 200
"""Ends that are reported together: one query for all."""

_IDLE_SECONDS = 1.0
"""A connection is kept for so long after the last end: to open one for each costs more than all the rest."""

_LONGEST_QUEUE = 10_000
"""Ends that wait. Recording goes on when one of them was reported."""


class Endings(Loop):
    """Calls the adapter of a task after the end of its run was recorded. It starts with the first such run."""

    def __init__(self) -> None:
        super().__init__(name="scheduler-endings", fault=events.ENDINGS_FAILED)
        self._queue: queue.Queue[tuple[Adapter, EndedRun] | None] = queue.Queue(_LONGEST_QUEUE)
        self._starting = threading.Lock()
        self._has_drained = False

    def add(self, runs: Iterable[EndedRun]) -> None:
        """These enqueued runs have ended, and that is recorded. Safe in any thread."""
        for run in runs:
            adapter = adapter_of(run.task)
            if adapter is not None:
                with self._starting:
                    if not self.is_alive:
                        self.start()
                self._queue.put((adapter, run))

    def interrupt(self) -> None:
        if self.is_alive:
            self._queue.put(None)

    def is_over(self) -> bool:
        """Over once everything that was recorded before ``stop`` was reported."""
        return self._has_drained

    def turn(self) -> float:
        items = self._next()
        self._has_drained = None in items
        by_adapter: dict[int, tuple[Adapter, list[EndedRun]]] = {}
        for item in items:
            if item is not None:
                adapter, run = item
                by_adapter.setdefault(id(adapter), (adapter, []))[1].append(run)
        for adapter, runs in by_adapter.values():
            self._report(adapter, runs)
        if self._has_drained:
            body_connections.give_back()
        return 0.0

    def _next(self) -> list[tuple[Adapter, EndedRun] | None]:
        """Return what waits, some at a time. A connection that stays unused for a while is given back."""
        items: list[tuple[Adapter, EndedRun] | None] = []
        try:
            items.append(self._queue.get(timeout=_IDLE_SECONDS if body_connections.opened.any else None))
            while len(items) < _MOST_TOGETHER:
                items.append(self._queue.get_nowait())
        except queue.Empty:
            if not items:
                body_connections.give_back()
        return items

    def _report(self, adapter: Adapter, runs: list[EndedRun]) -> None:
        try:
            try:
                adapter.ended(runs=runs)
            except Error:  # the connection was idle, and lost meanwhile
                body_connections.give_back()
                adapter.ended(runs=runs)
        except Exception:  # receivers of signals are code that is not ours
            logger.exception(events.ENDINGS_FAILED, extra={"error": f"run {runs[0].id}", "pause": 0.0})
            body_connections.give_back()


def adapter_of(task: str) -> Adapter | None:
    """Return what calls a task for its framework. ``None``: it is one of ours, or unknown."""
    try:
        return registry.get(task).adapter
    except UnknownTask:
        return None
