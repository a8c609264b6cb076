"""The triggers of one kind: cron, interval, date and calendar, each from its form."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta, tzinfo
from typing import Any

from scheduler.core.triggers import error_messages
from scheduler.core.triggers.calendar_intervals import CalendarTrigger, calendar_trigger
from scheduler.core.triggers.cron.crons import cron_by_expression, cron_by_fields
from scheduler.core.triggers.dates import DateTrigger
from scheduler.core.triggers.intervals import LONGEST, SHORTEST, UNITS, IntervalTrigger
from scheduler.core.triggers.reading.forms import CALENDAR_UNITS, KEYS, MOST_CALENDAR_UNITS, MOST_SECONDS, Form, called
from scheduler.core.triggers.reading.instants import bounds_of, moment_of, time_of, zone_of
from scheduler.core.triggers.trigger import Trigger
from scheduler.core.triggers.zones import offset_name, parse_zone
from scheduler.messages import row

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)


def _numbers(form: Form, units: tuple[str, ...], *, fractions: tuple[str, ...] = ()) -> dict[str, Any]:
    numbers = {name: form.values[name] for name in units if name in form.values}
    for name, number in numbers.items():
        fits = isinstance(number, int | float) if name in fractions else isinstance(number, int)
        if isinstance(number, bool) or not fits or not 0 <= number <= MOST_SECONDS:
            problem = error_messages.NOT_A_WHOLE_NUMBER(name=name, text=str(number)[:64])
            raise form.refuse(name, problem, "invalid_number")
    if not any(numbers.values()):
        needed = error_messages.UNIT_NEEDED(trigger=called(form.values["type"]), units=", ".join(units))
        if zero := next(iter(numbers), ""):
            too_short = error_messages.TOO_SHORT(name=zero)
            raise form.refuse(zero, row(" ", [too_short, needed]), "too_short")
        raise form.refuse("", needed, "missing")
    return numbers


def cron(form: Form) -> Trigger:
    given = [key for key in KEYS["cron"] if key in form.values]
    if len(given) != 1:
        if given:
            both = error_messages.CRON_HAS_BOTH()
            raise form.refuse("expression", both, "ambiguous")
        neither = error_messages.CRON_HAS_NEITHER()
        raise form.refuse("expression", neither, "missing")
    zone = zone_of(form)
    bounds = bounds_of(form, zone)
    if given == ["expression"]:
        return cron_by_expression(form.values["expression"], zone=zone, **bounds)
    return cron_by_fields(form.values["fields"], zone=zone, **bounds)


def interval(form: Form) -> IntervalTrigger:
    numbers = _numbers(form, tuple(UNITS), fractions=("seconds",))
    try:
        interval = sum((UNITS[name] * number for name, number in numbers.items()), timedelta())
    except OverflowError:
        interval = timedelta.max
    if not SHORTEST <= interval <= LONGEST:
        raise form.refuse(next(iter(numbers)), error_messages.INTERVAL_OUT_OF_RANGE(), "out_of_range")
    return IntervalTrigger(interval=interval, **bounds_of(form, zone_of(form)))


def date(form: Form) -> DateTrigger:
    if "run_at" not in form.values:
        raise form.refuse("run_at", error_messages.DATE_NEEDED(), "missing")
    moment = moment_of(form, "run_at")
    zone = zone_of(form, _own_zone(moment))
    run_at, run_wall = time_of(form, "run_at", zone)
    assert run_at is not None  # noqa: S101 - it was looked for above
    return DateTrigger(run_at=run_at, run_wall=run_wall, **bounds_of(form, zone))


def _own_zone(moment: datetime) -> tzinfo | None:
    """Return the offset a time was written with, so that it is shown as it was written."""
    offset = moment.utcoffset()
    return None if offset is None else parse_zone(offset_name(int(offset.total_seconds())), pointer="/run_at")


def calendar(form: Form) -> CalendarTrigger:
    numbers = _numbers(form, CALENDAR_UNITS)
    for name, number in numbers.items():
        if number > MOST_CALENDAR_UNITS:
            raise form.refuse(name, error_messages.TOO_LARGE(name=name, most=MOST_CALENDAR_UNITS), "out_of_range")
    zone = zone_of(form)
    return calendar_trigger(**numbers, at=_time(form), **bounds_of(form, zone))


def _time(form: Form) -> time:
    value = form.values.get("at", "00:00")
    if isinstance(value, time):
        value = value.isoformat(timespec="seconds")
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        problem = error_messages.NOT_A_TIME_OF_DAY(text=str(value)[:64])
        raise form.refuse("at", problem, "invalid_time")
    hour, minute, second = match.groups()
    return time(int(hour), int(minute), int(second or 0))
