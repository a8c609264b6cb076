"""A check and its statuses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from scheduler.messages import Message, phrase, phrase_of


class Status(StrEnum):
    PASS = "pass"  # noqa: S105 - a word, not a password
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question and its answer."""

    name: str
    status: Status
    text: str
    """A sentence: what was found, and what to do if it is not well."""

    value: float | int | None = None

    limit: float | int | None = None
    """The most that the value may be. For nodes the fewest that there must be."""

    unit: str = ""
    """Of both: ``s``, or empty for counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When something is not well."""

    enabled: bool
    """Whether nodes may be started here."""

    overdue_seconds: float
    fire_times: int
    backlog: int
    skew_seconds: float


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst status, or “pass” without checks."""
    found = set(statuses)
    return Status.FAIL if Status.FAIL in found else Status.WARN if Status.WARN in found else Status.PASS


def duration(seconds: float) -> Message:
    """Write a duration in its largest unit."""
    if seconds < 60:
        return phrase("{number:.0f} s", number=max(seconds, 0))
    if seconds < 3600:
        return phrase("{number:.0f} min", number=seconds // 60)
    if seconds < 48 * 3600:
        return phrase("{number:.0f} h", number=seconds // 3600)
    return phrase_of("{number:,} day", "{number:,} days", number=int(seconds // 86400))
