"""The ends of runs whose tasks are of another framework, e.g. ``django.tasks``: a thread of its own tells them."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Sequence

from scheduler.core.tasks.adapters import Adapter
from scheduler.core.tasks.registry import registry
from scheduler.engine.heartbeat import Identity
from scheduler.errors import UnknownTask
from scheduler.execution import body_connections
from scheduler.loops import Loop
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.runs import OwnedRun
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

_LONGEST_QUEUE = 10_000
"""Ends that wait. Recording goes on when one of them was told."""


class Endings(Loop):
    """Calls the adapter of a task after the outcome of its run was recorded. It starts with the first such run."""

    def __init__(self, *, identity: Identity) -> None:
        super().__init__(name="scheduler-endings", fault=events.ENDINGS_FAILED)
        self._identity = identity
        self._queue: queue.Queue[tuple[Adapter, OwnedRun, Outcome] | None] = queue.Queue(_LONGEST_QUEUE)
        self._has_drained = False

    def add(self, outcomes: Sequence[Outcome], *, owned: Callable[[int], OwnedRun | None]) -> None:
        """These outcomes are recorded. Called in the recorder's thread."""
        for outcome in outcomes:
            run = owned(outcome.run_id)
            adapter = None if run is None else adapter_of(run.task)
            if run is not None and adapter is not None:
                if not self.is_alive:
                    self.start()
                self._queue.put((adapter, run, outcome))

    def interrupt(self) -> None:
        if self.is_alive:
            self._queue.put(None)

    def is_over(self) -> bool:
        """Over once everything that was recorded before ``stop`` was told."""
        return self._has_drained

    def turn(self) -> float:
        item = self._queue.get()
        if item is None:
            self._has_drained = True
            return 0.0
        adapter, run, outcome = item
        try:
            adapter.ended(run=run, node=self._identity.node, outcome=outcome)
        except Exception:  # receivers of signals are code that is not ours
            logger.exception(events.ENDINGS_FAILED, extra={"error": f"run {run.id}", "pause": 0.0})
        finally:
            body_connections.give_back()
        return 0.0


def adapter_of(task: str) -> Adapter | None:
    """Return what calls a task for its framework. ``None``: it is one of ours, or unknown."""
    try:
        return registry.get(task).adapter
    except UnknownTask:
        return None
