"""Calendars by name and by digest: where triggers get them from, and which of them are known already."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Protocol

from scheduler.core.triggers import error_messages
from scheduler.core.triggers.calendars.calendar import Calendar, calendar_of
from scheduler.core.triggers.calendars.rules import read
from scheduler.core.triggers.wall_time import day_number
from scheduler.core.triggers.zones import zone_named
from scheduler.errors import InvalidTrigger
from scheduler.untouched import json

LONGEST_NAME = 64
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)


def is_name(text: object) -> bool:
    """Return whether a text can be the name of a calendar: lower case letters, digits, hyphens and underscores."""
    return isinstance(text, str) and len(text) <= LONGEST_NAME and bool(_NAME.fullmatch(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """All that fire times depend on."""

    rules: tuple[str, ...]
    holidays: tuple[tuple[str, str], ...]
    """The holidays of its countries: ISO dates and names, as they were known when the calendar was saved."""

    timezone: str = ""
    """The zone of its days; empty: that of the trigger."""

    def as_json(self) -> dict[str, Any]:
        return {
            "timezone": self.timezone,
            "rules": list(self.rules),
            "holidays": [list(holiday) for holiday in self.holidays],
        }

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> Content:
        return cls(
            timezone=form["timezone"],
            rules=tuple(form["rules"]),
            holidays=tuple((day, name) for day, name in form["holidays"]),
        )

    @property
    def digest(self) -> str:
        text = json.dumps(self.as_json(), ensure_ascii=True, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Source(Protocol):
    """The calendars that exist."""

    def digests(self, names: Collection[str]) -> Mapping[str, str]:
        """Return the digests of those of the names that exist."""

    def names(self) -> Sequence[str]:
        """Return all names, for a hint."""

    def content(self, digest: str) -> Content | None: ...


class _NoCalendars:
    def digests(self, names: Collection[str]) -> Mapping[str, str]:
        return {}

    def names(self) -> Sequence[str]:
        return ()

    def content(self, digest: str) -> Content | None:
        return None


class _Known:
    def __init__(self) -> None:
        self.source: Source = _NoCalendars()


_known = _Known()


def use_source(source: Source) -> None:
    """Let calendars come from here."""
    _known.source = source
    _content.cache_clear()
    _calendar.cache_clear()


def forget() -> None:
    """Drop what was computed from the rules of time zones."""
    _calendar.cache_clear()


def current_digests(names: Collection[str], *, key: str) -> dict[str, str]:
    """
    Return the digests that the calendars have now.

    :raises InvalidTrigger: there is no such calendar
    """
    found = _known.source.digests(names)
    for name in names:
        if name not in found:
            raise unknown(name, key=key)
    return dict(found)


def present(names: Collection[str]) -> frozenset[str]:
    """Return those of the names that calendars have."""
    return frozenset(_known.source.digests(names))


def unknown(name: str, *, key: str) -> InvalidTrigger:
    """The error for a calendar that does not exist, with the name that was probably meant."""
    close = difflib.get_close_matches(name, _known.source.names(), n=1)
    problem = (
        error_messages.UNKNOWN_CALENDAR_BUT(name=name, close=close[0])
        if close
        else error_messages.UNKNOWN_CALENDAR(name=name)
    )
    return InvalidTrigger(problem, pointer=f"/{key}", code="unknown_calendar")


def calendar(digest: str, *, name: str, timezone: str, key: str) -> Calendar:
    """
    Return the calendar of a digest, on the clocks of a zone unless it has one of its own.

    :raises InvalidTrigger: it is not known
    """
    found = _calendar(digest, timezone)
    if found is None:
        _content.cache_clear()  # another process may write it next
        _calendar.cache_clear()
        raise unknown(name, key=key)
    return found


@lru_cache(maxsize=256)
def _calendar(digest: str, timezone: str) -> Calendar | None:
    content = _content(digest)
    return None if content is None else compiled(content, timezone=timezone)


@lru_cache(maxsize=256)
def _content(digest: str) -> Content | None:
    return _known.source.content(digest)


def compiled(content: Content, *, timezone: str) -> Calendar:
    """:raises InvalidCalendar: its rules cannot be used"""
    return calendar_of(
        read(content.rules),
        holidays=[(day_number(date.fromisoformat(day)), name) for day, name in content.holidays],
        zone=zone_named(content.timezone or timezone),
    )
