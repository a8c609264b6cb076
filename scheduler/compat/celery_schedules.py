"""
Schedules of Celery as triggers of this scheduler.

A crontab of Celery fires where all five fields match, also day of month and day of week together. A cron expression
fires where one of the two matches. It is therefore read as a cron by fields, whose fields must all match. In Celery,
Sunday is day 0 of the week.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from scheduler.errors import InvalidTrigger

_RANGES = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "day_of_week": (0, 6)}
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PART = re.compile(r"(\*|[a-z]+|\d+)(?:-([a-z]+|\d+))?(?:/(\d+))?")

PERIODS = {"days": "days", "hours": "hours", "minutes": "minutes", "seconds": "seconds"}


def crontab(fields: Mapping[str, str | Collection[int]], *, timezone: str) -> dict[str, Any]:
    """
    Return the trigger of a crontab of Celery.

    ``fields`` are ``minute``, ``hour``, ``day``, ``month`` and ``day_of_week``: texts as people write them, or the sets
    of numbers that Celery makes of them.

    :raises InvalidTrigger: naming the field and its value
    """
    found: dict[str, str] = {}
    for name in ("month", "day", "day_of_week", "hour", "minute"):
        given = fields[name]
        numbers = expand(name, given) if isinstance(given, str) else frozenset(given)
        low, high = _RANGES[name]
        if numbers == frozenset(range(low, high + 1)):
            found[name] = "*"
        elif name == "day_of_week":
            found[name] = ",".join(_DAYS[number] for number in sorted(numbers))
        else:
            found[name] = ",".join(map(str, sorted(numbers)))
    return {"type": "cron", "fields": found, "timezone": timezone}


def expand(name: str, text: str) -> frozenset[int]:
    """
    Return the numbers that one field of a crontab stands for.

    :raises InvalidTrigger: it cannot be read
    """
    found: set[int] = set()
    for part in text.replace(" ", "").lower().split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise InvalidTrigger(f"“{text}” is not a value of {name}.")
        found |= _part(name, text, match)
    return frozenset(found)


def _part(name: str, text: str, match: re.Match[str]) -> set[int]:
    low, high = _RANGES[name]
    if match[1] == "*":
        first, last = low, high
    else:
        first = _number(name, text, match[1])
        last = _number(name, text, match[2]) if match[2] else (high if match[3] else first)
    step = int(match[3] or 1)
    if not step:
        raise InvalidTrigger(f"“{text}” is not a value of {name}: a step of 0.")
    if last < first:  # Celery goes round the end of the range
        last += high - low + 1
    return {(number - low) % (high - low + 1) + low for number in range(first, last + 1, step)}


def _number(name: str, text: str, word: str) -> int:
    names = {"day_of_week": _DAYS, "month": _MONTHS}.get(name, ())
    if word[:3] in names:
        return names.index(word[:3]) + _RANGES[name][0]
    low, high = _RANGES[name]
    if not word.isdigit() or not low <= int(word) <= high + (name == "day_of_week"):
        raise InvalidTrigger(f"“{text}” is not a value of {name}: allowed are {low} to {high}.")
    return 0 if name == "day_of_week" and int(word) == 7 else int(word)


def interval(every: timedelta, *, last_run_at: datetime | None = None, start: datetime | None = None) -> dict[str, Any]:
    """
    Return the trigger of an interval. It keeps the phase of the last run.

    :raises InvalidTrigger: it is shorter than a second
    """
    if every < timedelta(seconds=1):
        raise InvalidTrigger(f"It runs every {every.total_seconds():g} s. The shortest interval is 1 s.")
    seconds = every.total_seconds()
    trigger: dict[str, Any] = {"type": "interval", "seconds": int(seconds) if seconds.is_integer() else seconds}
    anchor = last_run_at or start
    return trigger if anchor is None else {**trigger, "start_at": anchor.isoformat()}
