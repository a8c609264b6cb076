"""iCalendar files (RFC 5545): from the events of a file to rules of a calendar."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from scheduler.core.triggers.calendars import error_messages, recurrences
from scheduler.core.triggers.calendars.rules import LONGEST_RULE, MOST_RULES
from scheduler.errors import InvalidCalendar

MOST_BYTES = 1_000_000
YEARS_BACK = 1
YEARS_AHEAD = 10
MOST_STEPS = 200_000
"""Days that all recurring events of a file together may look at."""

_LONGEST_TITLE = LONGEST_RULE - 60
_DAY = timedelta(days=1)


class _Steps:
    """The rest of the work that a file may cost."""

    def __init__(self, most: int, *, first: date, until: date) -> None:
        self.left = most
        self.years = {"first": f"{first.year}", "last": f"{until.year}"}

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise InvalidCalendar(error_messages.FILE_TOO_MANY_EVENTS(most=MOST_STEPS, **self.years), field="file")


def rules_of(file: bytes, *, today: date) -> list[str]:
    """
    Return the events of a file as rules: from last year on, and ten years ahead.

    Cancelled events are left out. A whole day that comes every year becomes one rule. A time keeps what its own zone
    shows.

    :raises InvalidCalendar: naming the event and the reason
    """
    if len(file) > MOST_BYTES:
        raise InvalidCalendar(error_messages.FILE_TOO_LARGE(most=MOST_BYTES), field="file")
    first, until = date(today.year - YEARS_BACK, 1, 1), date(today.year + YEARS_AHEAD, 12, 31)
    steps = _Steps(MOST_STEPS, first=first, until=until)
    rules: dict[str, None] = {}
    for event in _events(file):
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        for rule in _rules(event, first, until, steps):
            rules[rule] = None
            if len(rules) > MOST_RULES:
                raise InvalidCalendar(error_messages.FILE_TOO_MANY_EVENTS(most=MOST_RULES, **steps.years), field="file")
    if not rules:
        raise InvalidCalendar(error_messages.FILE_WITHOUT_EVENTS(**steps.years), field="file")
    return list(rules)


def _events(file: bytes) -> Iterator[Any]:
    try:
        import icalendar
    except ImportError:
        raise InvalidCalendar(error_messages.ICALENDAR_NEEDED(package="icalendar"), field="file") from None
    try:
        text = file.decode("utf-8-sig")
        if "BEGIN:VCALENDAR" not in text.upper():
            raise ValueError("it has no BEGIN:VCALENDAR.")
        for calendar in icalendar.Calendar.from_ical(text, multiple=True):
            yield from calendar.walk("VEVENT")
    except InvalidCalendar:
        raise
    except Exception as error:  # noqa: BLE001 - a parser of files that anybody wrote
        problem = " ".join(str(error).split())[:200]
        raise InvalidCalendar(error_messages.FILE_NOT_ICALENDAR(problem=problem), field="file") from None


def _rules(event: Any, first: date, until: date, steps: _Steps) -> Iterator[str]:
    title = " ".join(str(event.get("SUMMARY", "")).split())[:_LONGEST_TITLE]
    try:
        start, end = event.start, event.end
        recurs = event.get("RRULE")
        if recurs and _is_each_year(recurs, start, end):
            yield f"{start:%m-%d} {title}".strip()
            return
        left_out = set(_listed(event, "EXDATE"))
        for day in _days(event, start, recurs, until, steps):
            if day not in left_out:
                yield from _rule(start, end, day, title, first, until)
    except InvalidCalendar:
        raise
    except recurrences.TooFrequent:
        raise InvalidCalendar(error_messages.EVENT_TOO_FREQUENT(title=title), field="file") from None
    except Exception as error:  # noqa: BLE001 - as above
        named = title or str(event.get("UID", ""))[:_LONGEST_TITLE] or "?"
        problem = _problem(event, error)
        raise InvalidCalendar(error_messages.EVENT_UNUSABLE(title=named, problem=problem), field="file") from None


def _problem(event: Any, error: Exception) -> str:
    """Return what is wrong with an event: what the library noted of its properties, else the error."""
    noted = "; ".join(f"{name}: {text}" for name, text in event.errors)
    return " ".join((noted or f"{error or type(error).__name__}").split())[:200]


def _days(event: Any, start: date, recurs: Any, until: date, steps: _Steps) -> Iterator[date]:
    """Yield the days on which the event begins."""
    first = _day(start)
    yield first
    rules = recurs if isinstance(recurs, list) else [recurs] if recurs else []
    for rule in rules:
        parts = {str(name).upper(): value for name, value in rule.items()}
        yield from recurrences.days(parts, first=first, until=until, spend=steps.spend)
    yield from _listed(event, "RDATE")


def _rule(start: date, end: date, day: date, title: str, first: date, until: date) -> Iterator[str]:
    if isinstance(start, datetime) and isinstance(end, datetime):
        begins = datetime.combine(day, start.time())
        ends = begins + (end.replace(tzinfo=None) - start.replace(tzinfo=None))
        if first <= ends.date() and begins.date() <= until and _minute(begins) < _minute(ends):
            yield f"{_minute(begins):%Y-%m-%d %H:%M}..{_minute(ends):%Y-%m-%d %H:%M} {title}".strip()
        return
    last = max(day, day + (_day(end) - _day(start)) - _DAY)
    if first <= last and day <= until:
        dates = f"{day}" if day == last else f"{day}..{last}"
        yield f"{dates} {title}".strip()


def _minute(moment: datetime) -> datetime:
    return datetime.combine(moment.date(), time(moment.hour, moment.minute))


def _day(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _listed(event: Any, name: str) -> Iterator[date]:
    given = event.get(name, [])
    for dates in given if isinstance(given, list) else [given]:
        for each in getattr(dates, "dts", []):
            if isinstance(each.dt, tuple):
                raise recurrences.Unsupported(f"{name};VALUE=PERIOD")
            yield _day(each.dt)


def _is_each_year(recurs: Any, start: date, end: date) -> bool:
    """Return whether it is one whole day that comes every year, without an end."""
    if isinstance(recurs, list) or isinstance(start, datetime) or end - start != _DAY:
        return False
    parts = {str(name).upper(): value for name, value in recurs.items()}
    own = {"BYMONTH": [start.month], "BYMONTHDAY": [start.day], "INTERVAL": [1]}
    rest = {name: value for name, value in parts.items() if name not in ("FREQ", "WKST")}
    return parts.get("FREQ") == ["YEARLY"] and all(own.get(name) == list(value) for name, value in rest.items())
