"""
The days of a recurring event (RFC 5545, 3.3.10), as far as calendars need them.

The rules come from files of strangers: every step is counted, and parts that name times of day, or that only calendars
of machines have, are refused by name.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTHDAY", "BYMONTH"}
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class Unsupported(Exception):
    """A part of the rule that is not supported; its text names it."""


class TooFrequent(Exception):
    """It recurs more often than daily."""


def days(rule: Mapping[str, Any], *, first: date, until: date, spend: Callable[[], None]) -> Iterator[date]:
    """
    Yield the days on which an event begins that recurs by ``rule`` from ``first`` on, up to ``until``.

    ``spend`` is called for each day that is looked at, and raises when that is enough.

    :raises Unsupported, TooFrequent: it cannot be expanded
    """
    frequency = str(_one(rule, "FREQ")).upper()
    if frequency in ("HOURLY", "MINUTELY", "SECONDLY"):
        raise TooFrequent
    if frequency not in _FREQUENCIES:
        raise Unsupported(f"FREQ={frequency}")
    if unknown := sorted({str(part).upper() for part in rule} - _PARTS):
        raise Unsupported(unknown[0])
    interval, left = int(_one(rule, "INTERVAL", 1)), _one(rule, "COUNT")
    if interval < 1:
        raise Unsupported(f"INTERVAL={interval}")
    ends = _one(rule, "UNTIL")
    if ends is not None:
        until = min(until, ends.date() if hasattr(ends, "date") else ends)
    for day in _each_period(frequency, interval, first, until, rule, spend):
        if day < first:
            continue
        if day > until or left == 0:
            return
        left = None if left is None else int(left) - 1
        yield day


def _one(rule: Mapping[str, Any], name: str, default: Any = None) -> Any:
    found = rule.get(name, default)
    return found[0] if isinstance(found, list | tuple) else found


def _each_period(
    frequency: str, interval: int, first: date, until: date, rule: Mapping[str, Any], spend: Callable[[], None]
) -> Iterator[date]:
    weekdays = [_weekday(text) for text in _list(rule, "BYDAY")]
    month_days = [int(number) for number in _list(rule, "BYMONTHDAY")]
    months = {int(number) for number in _list(rule, "BYMONTH")}
    number = 0
    while (begin := _begin(frequency, first, number * interval)) is not None and begin <= until:
        number += 1
        spend()
        for day in _period(frequency, begin, first, months, weekdays, month_days, spend):
            if not months or day.month in months:
                yield day


def _begin(frequency: str, first: date, number: int) -> date | None:
    """Return the first day of a period, counted from that of the first one."""
    try:
        if frequency == "DAILY":
            return first + timedelta(days=number)
        if frequency == "WEEKLY":
            return first - timedelta(days=first.weekday()) + timedelta(weeks=number)
        months = first.year * 12 + first.month - 1 + number if frequency == "MONTHLY" else (first.year + number) * 12
        return date(months // 12, months % 12 + 1, 1)
    except (OverflowError, ValueError):
        return None


def _period(
    frequency: str,
    begin: date,
    first: date,
    months: set[int],
    weekdays: Sequence[tuple[int, int]],
    month_days: Sequence[int],
    spend: Callable[[], None],
) -> Iterator[date]:
    if frequency == "DAILY":
        if _fits(begin, weekdays, month_days):
            yield begin
    elif frequency == "WEEKLY":
        chosen = {weekday for _, weekday in weekdays} or {first.weekday()}
        yield from (begin + timedelta(days=weekday) for weekday in sorted(chosen))
    else:
        every = [begin.month] if frequency == "MONTHLY" else sorted(months or {first.month})
        if frequency == "YEARLY" and weekdays and not months:
            every = list(range(1, 13))
        for month in every:
            spend()
            if 1 <= month <= 12:
                yield from _month(begin.year, month, first, weekdays, month_days)


def _month(
    year: int, month: int, first: date, weekdays: Sequence[tuple[int, int]], month_days: Sequence[int]
) -> Iterator[date]:
    last = monthrange(year, month)[1]
    if not weekdays and not month_days:
        month_days = [first.day]
    allowed = {number if number > 0 else last + 1 + number for number in month_days} or set(range(1, last + 1))
    for number in range(1, last + 1):
        day = date(year, month, number)
        if number in allowed and (not weekdays or any(_is_weekday(day, last, *each) for each in weekdays)):
            yield day


def _fits(day: date, weekdays: Sequence[tuple[int, int]], month_days: Sequence[int]) -> bool:
    last = monthrange(day.year, day.month)[1]
    in_month = not month_days or day.day in month_days or day.day - last - 1 in month_days
    return in_month and (not weekdays or day.weekday() in {weekday for _, weekday in weekdays})


def _is_weekday(day: date, last: int, position: int, weekday: int) -> bool:
    if day.weekday() != weekday:
        return False
    if not position:
        return True
    return (day.day - 1) // 7 + 1 == position if position > 0 else (last - day.day) // 7 + 1 == -position


def _weekday(text: object) -> tuple[int, int]:
    """``MO``, ``-1FR``: the position in the month, 0 for each, and the weekday."""
    said = str(text).upper()
    if said[-2:] not in _WEEKDAYS:
        raise Unsupported(f"BYDAY={said[:20]}")
    try:
        return int(said[:-2] or 0), _WEEKDAYS.index(said[-2:])
    except ValueError:
        raise Unsupported(f"BYDAY={said[:20]}") from None


def _list(rule: Mapping[str, Any], name: str) -> list[Any]:
    found = rule.get(name, [])
    return list(found) if isinstance(found, list | tuple) else [found]
