"""Calendars and maintenance windows under the names that a trigger gives them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from scheduler.core.triggers import budget
from scheduler.core.triggers.calendars.calendar import Calendar
from scheduler.core.triggers.zones import LAST_INSTANT, instant_of, moment_of


class During(StrEnum):
    """The fate of fire times in a maintenance window."""

    SKIP = "skip"
    ONCE_AFTERWARDS = "once_afterwards"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A calendar under its name."""

    name: str
    digest: str
    calendar: Calendar = field(compare=False, repr=False)
    during: During = During.SKIP
    """For a maintenance window."""


def end_of_stretch(window: Named, moment: datetime) -> datetime | None:
    """Return when the stretch of a window ends that holds an instant; ``None``: it is not in the window."""
    instant = instant_of(moment)
    if window.calendar.title_at(instant) is None:
        return None
    while window.calendar.title_at(instant) is not None and instant < LAST_INSTANT:
        budget.spend()
        instant = window.calendar.unchanged_until(instant)
    return moment_of(instant)
