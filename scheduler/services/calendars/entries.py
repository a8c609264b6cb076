"""The entries of a calendar in the time to come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from django.utils import timezone as django_timezone

from scheduler.core.triggers.calendars import contents
from scheduler.core.triggers.calendars.calendar import Calendar
from scheduler.core.triggers.calendars.contents import Content
from scheduler.core.triggers.zones import instant_of, moment_of
from scheduler.models import Calendar as Row
from scheduler.store.clock import database_now

MOST = 366
_FARTHEST = timedelta(days=366 * 5)


class Entry(NamedTuple):
    """From ``begin`` to ``end``, which is not included, on the clocks of the calendar."""

    begin: datetime
    end: datetime
    title: str

    @property
    def is_whole_days(self) -> bool:
        return all((moment.hour, moment.minute) == (0, 0) for moment in (self.begin, self.end))


def of(*, calendar: Row, since: datetime | None = None, limit: int = 20) -> list[Entry]:
    """Return the next entries of a calendar, at most five years ahead."""
    content = Content(
        rules=tuple(calendar.rules),
        holidays=tuple((day, title) for day, title in calendar.holidays),
        timezone=calendar.timezone,
    )
    return of_content(content=content, since=since, limit=limit)


def of_content(*, content: Content, since: datetime | None = None, limit: int = 20) -> list[Entry]:
    """Return the next entries, of a calendar without a zone on the clocks of the project's."""
    zone = content.timezone or django_timezone.get_default_timezone_name()
    calendar = contents.compiled(content, timezone=zone)
    begin = since or database_now()
    return list(islice(_entries(calendar, begin, begin + _FARTHEST), min(limit, MOST)))


def _entries(calendar: Calendar, since: datetime, until: datetime) -> Iterator[Entry]:
    at, last = instant_of(since), instant_of(until)
    while at < last:
        title = calendar.title_at(at)
        end = calendar.unchanged_until(at)
        while end < last and calendar.title_at(end) == title:
            end = calendar.unchanged_until(end)
        if title is not None:
            yield Entry(moment_of(at).astimezone(calendar.zone), moment_of(end).astimezone(calendar.zone), title)
        at = end
