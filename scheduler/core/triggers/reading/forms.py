"""The JSON form of a trigger: its keys, its limits, and the errors that name a place in it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from scheduler.core import hints
from scheduler.core.triggers import error_messages
from scheduler.core.triggers.intervals import UNITS
from scheduler.errors import InvalidTrigger
from scheduler.messages import phrase, row

BOUNDS = ("timezone", "start_at", "end_at", "jitter_seconds")
CALENDAR_UNITS = ("years", "months", "weeks", "days")
KEYS: dict[str, tuple[str, ...]] = {
    "cron": ("expression", "fields"),
    "interval": tuple(UNITS),
    "date": ("run_at",),
    "calendar": (*CALENDAR_UNITS, "at"),
    "or": ("triggers",),
    "and": ("triggers",),
}
CALENDAR_KEYS = ("only_on", "not_on", "otherwise")
PINS = ("calendars", "windows")
"""Keys that the services write: the digests of the calendars, and the maintenance windows of the job's tags."""

MOST_CALENDARS = 10
LONGEST_JITTER_SECONDS = 86_400
MOST_CALENDAR_UNITS = 36_525
MOST_SECONDS = 100 * 366 * 86_400
MOST_TRIGGERS = 20
"""In all the combinations of a trigger together."""

FIRST_YEAR, LAST_YEAR = 1900, 9000
DEEPEST = 3
"""The maximum depth of combinations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One JSON object, and where it is."""

    values: dict[str, Any]
    place: str
    depth: int
    within_and: bool

    def refuse(self, key: str, message: str, code: str) -> InvalidTrigger:
        return InvalidTrigger(message, pointer=f"{self.place}/{key}" if key else self.place, code=code)


def unknown_type(kind: object) -> str:
    types = ", ".join(KEYS)
    if kind is None:
        return error_messages.TYPE_NEEDED(types=types)
    return error_messages.UNKNOWN_TYPE(kind=str(kind)[:64], types=types)


def unknown_key(kind: str, key: str, allowed: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(key, allowed, n=1)
    hint = hints.DID_YOU_MEAN(name=close[0]) if close else hints.TAKES(names=", ".join(allowed[1:]))
    return row(" ", [error_messages.UNKNOWN_KEY(trigger=called(kind), key=key), hint])


def called(kind: str) -> str:
    """``A cron trigger``, ``An interval trigger``."""
    if kind[0] in "aio":
        return phrase("An {kind} trigger", kind=kind)
    return phrase("A {kind} trigger", kind=kind)
