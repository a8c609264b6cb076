"""
A second opinion on fire times, written as naively as possible: it looks at a clock once a minute (or second).

It shares no code with the triggers, and enumerates where they calculate.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """What the five fields of an expression allow."""

    minutes: set[int]
    hours: set[int]
    days: set[int]
    months: set[int]
    weekdays: set[int]
    either_day: bool
    """The day of the month or the weekday suffices: neither begins with a star."""

    wildcard: bool
    """The minute or the hour begins with a star: a repeated hour counts twice, and what is left out does not."""


@cache
def read(expression: str) -> Fields:
    """Read an expression of numbers, ranges, steps, lists and names of weekdays."""
    minute, hour, day, month, weekday = expression.split()
    return Fields(
        minutes=_values(minute, 0, 59),
        hours=_values(hour, 0, 23),
        days=_values(day, 1, 31),
        months=_values(month, 1, 12),
        weekdays=_values(weekday, 0, 7),
        either_day=not (day.startswith("*") or weekday.startswith("*")),
        wildcard=minute.startswith("*") or hour.startswith("*"),
    )


def matches(fields: Fields, shown: datetime) -> bool:
    """Whether an expression matches what a clock shows."""
    if shown.minute not in fields.minutes or shown.hour not in fields.hours or shown.month not in fields.months:
        return False
    day_fits = shown.day in fields.days
    weekday_fits = bool({shown.isoweekday() % 7, shown.isoweekday()} & fields.weekdays)
    return day_fits or weekday_fits if fields.either_day else day_fits and weekday_fits


@lru_cache(maxsize=4)
def looks(zone_name: str, start: datetime, end: datetime) -> list[tuple[datetime, datetime, list[datetime]]]:
    """Look at a clock every minute: the moment, what it shows, and what it has left out since the look before."""
    zone = ZoneInfo(zone_name)
    found = []
    previous = start.astimezone(zone).replace(tzinfo=None)
    moment = start
    while moment < end:
        shown = moment.astimezone(zone).replace(tzinfo=None)
        skipped = []
        while previous + MINUTE < shown:
            previous += MINUTE
            skipped.append(previous)
        found.append((moment, shown, skipped))
        previous = shown
        moment += MINUTE
    return found


def fire_times(expression: str, zone_name: str, start: datetime, end: datetime) -> list[datetime]:
    """Every fire time from ``start`` up to but not including ``end``, by Debian's rules, in whole minutes of UTC."""
    fields = read(expression)
    found: list[datetime] = []
    seen: set[datetime] = set()
    for moment, shown, skipped in looks(zone_name, start - timedelta(days=2), end):
        if fields.wildcard:
            fires = matches(fields, shown)
        else:
            due = [wall for wall in (*skipped, shown) if wall not in seen]
            fires = any(matches(fields, wall) for wall in due)
            seen.update(due)
        if fires and moment >= start:
            found.append(moment)
    return found


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]
