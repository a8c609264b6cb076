"""The rules of a calendar: from lines of text to what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import NamedTuple

from scheduler.core.triggers.calendars import error_messages
from scheduler.core.triggers.wall_time import day_number
from scheduler.core.triggers.zones import DAY_SECONDS, wall_of
from scheduler.errors import InvalidCalendar
from scheduler.messages import Message

MOST_RULES = 20_000
MOST_WEEKLY = 100
"""Rules by weekday, whose hours have to be compared with every fire time; and countries."""

LONGEST_RULE = 300
FIRST_YEAR, LAST_YEAR = 1900, 9000

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LEAP_YEAR = 2000

_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = r"(?:[01]\d|2[0-4]):[0-5]\d"
_WEEKDAY = "|".join(WEEKDAYS)
_DAYS = rf"(?:daily|(?:{_WEEKDAY})(?:-(?:{_WEEKDAY}))?(?:,(?:{_WEEKDAY})(?:-(?:{_WEEKDAY}))?)*)"
_TITLE = r"(?:\s+(?P<title>\S.*))?"
_FLAGS = re.ASCII | re.IGNORECASE
_WEEKLY = re.compile(rf"(?P<days>{_DAYS})(?:\s+(?P<begin>{_TIME})-(?P<end>{_TIME}))?{_TITLE}", _FLAGS)
_YEARLY = re.compile(rf"(?P<day>\d{{2}}-\d{{2}}){_TITLE}", _FLAGS)
_TIMES = re.compile(rf"(?P<begin>{_DATE}[ T]{_TIME})\.\.(?P<end>{_DATE}[ T]{_TIME}){_TITLE}", _FLAGS)
_DATES = re.compile(rf"(?P<first>{_DATE})(?:\.\.(?P<last>{_DATE}))?{_TITLE}", _FLAGS)
_COUNTRY = re.compile(r"holidays\s+(?P<country>[A-Za-z]{2})(?:-(?P<part>[A-Za-z0-9 ]{1,20}))?", _FLAGS)


class Weekly(NamedTuple):
    """A part of some weekdays, Monday being 0. Seconds of the day on the wall; the end is not included."""

    weekdays: frozenset[int]
    begin: int
    end: int
    title: str


class Yearly(NamedTuple):
    month: int
    day: int
    title: str


class Dates(NamedTuple):
    """Days by their number since 1970, both included."""

    first: int
    last: int
    title: str


class Times(NamedTuple):
    """From one wall time to another, in seconds since 1970 on the clocks of a zone; the end is not included."""

    begin: int
    end: int
    title: str


class Country(NamedTuple):
    """Public holidays: ISO 3166-1 alpha-2, and a subdivision or an empty text."""

    country: str
    part: str
    line: int

    @property
    def code(self) -> str:
        return f"{self.country}-{self.part}" if self.part else self.country


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of a calendar, by kind, each in the order in which it was written."""

    weekly: tuple[Weekly, ...] = ()
    yearly: tuple[Yearly, ...] = ()
    dates: tuple[Dates, ...] = ()
    times: tuple[Times, ...] = ()
    countries: tuple[Country, ...] = ()


def clean(lines: Iterable[str]) -> list[str]:
    """
    Return the lines as they are stored: stripped, without empty ones.

    :raises InvalidCalendar: they are not texts, too many or too long
    """
    if isinstance(lines, str):
        lines = lines.splitlines()
    try:
        given = list(lines)
    except TypeError:
        raise InvalidCalendar(error_messages.RULES_ARE_TEXT(), field="rules") from None
    if not all(isinstance(line, str) for line in given):
        raise InvalidCalendar(error_messages.RULES_ARE_TEXT(), field="rules")
    kept = [" ".join(line.split()) for text in given for line in text.splitlines() if line.strip()]
    if len(kept) > MOST_RULES:
        raise _invalid(error_messages.TOO_MANY_RULES(most=MOST_RULES, number=len(kept)))
    for number, line in enumerate(kept, start=1):
        if len(line) > LONGEST_RULE:
            raise _invalid(error_messages.RULE_TOO_LONG(line=number, most=LONGEST_RULE))
        if re.search("[\x00-\x1f\x7f\ud800-\udfff]", line):
            raise _not_understood(number, line)
    return kept


def read(lines: Sequence[str]) -> Rules:
    """
    Read the lines of a calendar.

    :raises InvalidCalendar: naming the line and its fault
    """
    weekly: list[Weekly] = []
    yearly: list[Yearly] = []
    dates: list[Dates] = []
    times: list[Times] = []
    countries: list[Country] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            continue
        if found := _WEEKLY.fullmatch(line):
            weekly += _weekly(found, number, line)
        elif found := _TIMES.fullmatch(line):
            times.append(_times(found, number, line))
        elif found := _DATES.fullmatch(line):
            dates.append(_dates(found, number, line))
        elif found := _YEARLY.fullmatch(line):
            yearly.append(_yearly(found, number, line))
        elif found := _COUNTRY.fullmatch(line):
            countries.append(Country(found["country"].upper(), (found["part"] or "").strip().upper(), number))
        else:
            raise _not_understood(number, line)
    if not (weekly or yearly or dates or times or countries):
        raise _invalid(error_messages.NO_RULES())
    if max(len(weekly), len(countries)) > MOST_WEEKLY:
        number = max(len(weekly), len(countries))
        raise _invalid(error_messages.TOO_MANY_OF_A_KIND(most=MOST_WEEKLY, number=number))
    return Rules(
        weekly=tuple(weekly), yearly=tuple(yearly), dates=tuple(dates), times=tuple(times), countries=tuple(countries)
    )


def _invalid(problem: Message) -> InvalidCalendar:
    return InvalidCalendar(problem, field="rules")


def _not_understood(number: int, line: str) -> InvalidCalendar:
    return _invalid(error_messages.RULE_NOT_UNDERSTOOD(line=number, text=line[:80]))


def _weekly(found: re.Match[str], number: int, line: str) -> list[Weekly]:
    weekdays = _weekdays(found["days"].lower())
    title = found["title"] or line
    if found["begin"] is None:
        return [Weekly(weekdays, 0, DAY_SECONDS, title)]
    begin, end = _second(found["begin"], number, line), _second(found["end"], number, line)
    if begin in (DAY_SECONDS, end):
        raise _invalid(error_messages.RULE_ENDS_EARLY(line=number, text=line[:80]))
    if begin < end:
        return [Weekly(weekdays, begin, end, title)]
    following = frozenset((day + 1) % 7 for day in weekdays)
    rest = [Weekly(following, 0, end, title)] if end else []
    return [Weekly(weekdays, begin, DAY_SECONDS, title), *rest]


def _weekdays(text: str) -> frozenset[int]:
    if text == "daily":
        return frozenset(range(7))
    found: set[int] = set()
    for item in text.split(","):
        first, _, last = item.partition("-")
        begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        found.update(day % 7 for day in range(begin, end + 1 if end >= begin else end + 8))
    return frozenset(found)


def _second(text: str, number: int, line: str) -> int:
    hour, minute = map(int, text.split(":"))
    if hour == 24 and minute:
        raise _not_understood(number, line)
    return hour * 3600 + minute * 60


def _yearly(found: re.Match[str], number: int, line: str) -> Yearly:
    month, day = map(int, found["day"].split("-"))
    try:
        date(_LEAP_YEAR, month, day)
    except ValueError:
        raise _invalid(error_messages.RULE_NO_SUCH_DAY(line=number, text=found["day"])) from None
    return Yearly(month, day, found["title"] or line)


def _dates(found: re.Match[str], number: int, line: str) -> Dates:
    first = _date(found["first"], number)
    last = first if found["last"] is None else _date(found["last"], number)
    if last < first:
        raise _invalid(error_messages.RULE_ENDS_EARLY(line=number, text=line[:80]))
    return Dates(day_number(first), day_number(last), found["title"] or line)


def _times(found: re.Match[str], number: int, line: str) -> Times:
    begin, end = (_wall(found[name], number, line) for name in ("begin", "end"))
    if end <= begin:
        raise _invalid(error_messages.RULE_ENDS_EARLY(line=number, text=line[:80]))
    return Times(begin, end, found["title"] or line)


def _wall(text: str, number: int, line: str) -> int:
    day = _date(text[:10], number)
    return wall_of(datetime.combine(day, time())) + _second(text[11:], number, line)


def _date(text: str, number: int) -> date:
    year = int(text[:4])
    if not FIRST_YEAR <= year <= LAST_YEAR:
        years = {"first": f"{FIRST_YEAR}", "last": f"{LAST_YEAR}"}
        raise _invalid(error_messages.RULE_YEARS(line=number, text=text, **years))
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _invalid(error_messages.RULE_NO_SUCH_DAY(line=number, text=text)) from None
