"""Retries: if and when a run that failed is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

ASKED_FOR_RETRIES = 3
"""The number of retries that a task may request by raising ``Retry`` in a job without retries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The retry policy of a job."""

    max_retries: int = 0
    delay: timedelta = timedelta(seconds=30)
    """Before the first retry."""

    backoff: float = 2.0
    """Each further delay is this much longer than the one before."""

    delay_cap: timedelta = timedelta(hours=1)
    """No delay is longer, before jitter."""

    jitter: float = 0.1
    """Each delay is made longer by a random part of up to this share, so that failures do not come back together."""


def delay_before_retry(
    *, policy: RetryPolicy, attempt: int, asked_after: timedelta | None = None, chance: float
) -> timedelta | None:
    """
    Return how long to wait before the attempt after ``attempt``. ``None``: there is none.

    ``attempt`` is the number of the one that failed, from 1. ``asked_after``: the task raised ``Retry`` with this
    delay. ``chance`` is a random number from 0 to 1.
    """
    allowed = policy.max_retries
    if asked_after is not None:
        allowed = allowed or ASKED_FOR_RETRIES
    if attempt > allowed:
        return None
    if asked_after is not None:
        return asked_after
    cap = policy.delay_cap.total_seconds()
    delay = policy.delay.total_seconds()
    if policy.backoff > 1 and delay > 0:
        # Step by step, not by a power: 2 ** 10_000 is no delay.
        for _ in range(attempt - 1):
            delay *= policy.backoff
            if delay >= cap:
                break
    delay = min(delay, cap)
    return timedelta(seconds=delay * (1 + policy.jitter * chance))
