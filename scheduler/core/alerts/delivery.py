"""When a message is due: the next try, the next reminder, the end of quiet hours."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

_FIRST_DELAY = timedelta(seconds=10)
_LONGEST_DELAY = timedelta(hours=24)
_FIRST_REMINDER = timedelta(hours=1)
_LONGEST_REMINDER = timedelta(hours=24)

GIVE_UP_AFTER = 20
"""Tries of one message. With the delays below the last one comes about a week after the first."""


def delay_before_next_try(*, attempts: int, chance: float) -> timedelta:
    """
    Return how long to wait after the try with this number (from 1): 10 seconds, doubling up to 24 hours.

    ``chance``, from 0 to 1, adds up to a tenth, so that messages that failed together are not tried together.
    """
    delay: timedelta = min(_FIRST_DELAY * 2 ** min(attempts - 1, 20), _LONGEST_DELAY)
    return delay * (1 + 0.1 * chance)


def delay_before_reminder(*, reminders: int) -> timedelta:
    """Return how long after the message before it a reminder comes, of which there were so many: 1 hour, doubling."""
    delay: timedelta = min(_FIRST_REMINDER * 2 ** min(reminders, 10), _LONGEST_REMINDER)
    return delay


def quiet_until(*, now: datetime, begins: time | None, ends: time | None, zone: str) -> datetime | None:
    """
    Return the end of the quiet hours around ``now``, or ``None`` outside of them.

    ``begins`` and ``ends`` are times on the clock of ``zone``. They may span midnight, and are off when equal or empty.
    """
    if begins is None or ends is None or begins == ends:
        return None
    local = now.astimezone(ZoneInfo(zone))
    clock = local.time()
    spans_midnight = begins > ends
    is_loud = ends <= clock < begins if spans_midnight else not begins <= clock < ends
    if is_loud:
        return None
    day = local.date()
    if spans_midnight and clock >= begins:
        day += timedelta(days=1)
    return datetime.combine(day, ends, tzinfo=ZoneInfo(zone)).astimezone(now.tzinfo)
