"""The present state of the queues: waiting and running work, read from the database and judged by its clock."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.measuring.measures import Execute, execute

_MOST_COUNTED = 100_000
"""Runs of one priority that are counted: a longer queue is reported as this long."""


class QueueMeasure(NamedTuple):
    """A queue with active runs. Its fields are the columns of ``measure_queues``."""

    queue: str
    queued: int
    deferred: int
    """Those of the queued runs that are to begin later."""

    running: int
    oldest: float | None
    """For how many seconds the oldest run has waited that may start. ``None``: none waits."""


def of_queues(*, execute: Execute = execute) -> list[QueueMeasure]:
    """Return the queues that have active runs, by name."""
    return list(map(QueueMeasure._make, execute("measure_queues", most=_MOST_COUNTED)))
