"""An order: one call of a task that is to be enqueued, complete and checked."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import NamedTuple

from scheduler.core.queues import tracks

LOWEST_PRIORITY, HIGHEST_PRIORITY = -100, 100
"""Of enqueued runs, as Django has them. They compare within a queue."""

JOB_KEY = "/{task}"
"""The value in place of the id of a job. Ids of jobs never begin with a slash."""

LONGEST_TASK = 254

_MILLISECONDS = 48
_VERSION, _VARIANT = 7, 0b10


class Order(NamedTuple):
    """One call of a task that is to be enqueued."""

    public_id: uuid.UUID
    task: str
    args: str
    """JSON."""

    kwargs: str
    """JSON."""

    executor: str
    queue: str = tracks.DEFAULT_QUEUE
    priority: int = 0
    run_after: datetime | None = None
    timeout_seconds: float | None = None
    lifetime_seconds: float | None = None
    """If it has not begun after so long, it is missed."""

    unique_key: str | None = None
    policies: str | None = None
    """JSON; see ``policies.Policies.stored``."""

    requested_by: str = ""

    @property
    def track(self) -> str:
        return tracks.of_enqueued(executor=self.executor, queue=self.queue)


def uuid7(*, milliseconds: int, random: int) -> uuid.UUID:
    """
    Return a UUID of version 7 (RFC 9562): it grows with time, and its other 74 bits cannot be guessed.

    ``milliseconds`` since 1970, ``random`` with at least 74 bits.
    """
    high = (milliseconds & ((1 << _MILLISECONDS) - 1)) << 80
    middle = _VERSION << 76 | (random >> 62 & 0xFFF) << 64
    low = _VARIANT << 62 | random & ((1 << 62) - 1)
    return uuid.UUID(int=high | middle | low)


def milliseconds_of(public_id: uuid.UUID) -> int:
    """Return when a UUID of version 7 was made, in milliseconds since 1970."""
    return public_id.int >> 80


def job_key(task: str) -> str:
    """Return what stands where the id of a job would for enqueued runs of a task."""
    return JOB_KEY.format(task=task)
