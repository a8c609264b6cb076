"""Pauses: until when, and what they cost."""

from __future__ import annotations

from datetime import datetime

from scheduler.core import error_messages, triggers
from scheduler.core.states import JobState
from scheduler.core.triggers.reading.forms import LAST_YEAR
from scheduler.errors import InvalidPause, InvalidTrigger
from scheduler.models import Job
from scheduler.store.clock import aware


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


def end_of_pause(until: datetime, *, now: datetime) -> datetime:
    until = aware(until)
    if until <= now:
        raise InvalidPause(
            error_messages.PAUSE_IS_OVER(
                until=until.isoformat(),
                now=now.isoformat(timespec="seconds"),
            )
        )
    if until.year > LAST_YEAR:
        # Beyond it, no time zone could show it, and no program of ours read it back.
        raise InvalidPause(error_messages.PAUSE_TOO_LONG(until=until.isoformat(), year=f"{LAST_YEAR}"))
    return until
