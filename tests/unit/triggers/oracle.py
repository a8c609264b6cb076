"""
A second opinion on fire times, written as naively as possible: it looks at a clock once a minute (or second).

It shares no code with the triggers, and enumerates where they calculate.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
NAMES = {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}


@cache
def _values(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for item in text.split(","):
        term, _, step = item.partition("/")
        first, dash, last = term.partition("-")
        if term == "*":
            first, last = str(low), str(high)
        elif not dash:
            last = str(high) if step else first
        start, end = (NAMES.get(value, -1) if value in NAMES else int(value) for value in (first, last))
        found.update(range(start, end + 1, int(step or 1)))
    return found


def matches(expression: str, shown: datetime) -> bool:
    """Whether a five-field expression (numbers, ranges, steps, lists, names of weekdays) matches what a clock shows."""
    minute, hour, day, month, weekday = expression.split()
    if shown.minute not in _values(minute, 0, 59) or shown.hour not in _values(hour, 0, 23):
        return False
    if shown.month not in _values(month, 1, 12):
        return False
    day_fits = shown.day in _values(day, 1, 31)
    weekday_fits = bool({shown.isoweekday() % 7, shown.isoweekday()} & _values(weekday, 0, 7))
    if day.startswith("*") or weekday.startswith("*"):
        return day_fits and weekday_fits
    return day_fits or weekday_fits


def fire_times(expression: str, zone_name: str, start: datetime, end: datetime) -> list[datetime]:
    """Every fire time from ``start`` up to but not including ``end``, by Debian's rules, in whole minutes of UTC."""
    zone = ZoneInfo(zone_name)
    minute, hour = expression.split()[:2]
    wildcard = minute.startswith("*") or hour.startswith("*")
    found: list[datetime] = []
    seen: set[datetime] = set()
    previous = (start - timedelta(days=2)).astimezone(zone).replace(tzinfo=None)
    moment = start - timedelta(days=2)
    while moment < end:
        shown = moment.astimezone(zone).replace(tzinfo=None)
        skipped = []
        while previous + MINUTE < shown:
            previous += MINUTE
            skipped.append(previous)
        if wildcard:
            fires = matches(expression, shown)
        else:
            due = [wall for wall in (*skipped, shown) if wall not in seen]
            fires = any(matches(expression, wall) for wall in due)
            seen.update(due)
        if fires and moment >= start:
            found.append(moment)
        previous = shown
        moment += MINUTE
    return found


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]
