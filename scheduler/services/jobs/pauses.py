"""Pauses: until when, and what they cost."""

from __future__ import annotations

from datetime import datetime

from scheduler.core import triggers
from scheduler.core.states import JobState
from scheduler.errors import InvalidTrigger
from scheduler.models import Job


def fire_times_ahead(*, job: Job, now: datetime) -> int | None:
    """
    Return how many fire times a paused job will still skip until its pause ends.

    ``None``: unknown, because the pause has no end or the trigger is invalid.
    """
    if job.state != JobState.PAUSED or job.paused_until is None:
        return None
    try:
        trigger = triggers.parse(job.trigger).settled(now=now)
    except (InvalidTrigger, TypeError, AttributeError):
        return None
    first = trigger.next_after(now)
    return 0 if first is None else trigger.count(first=first, until=job.paused_until)
