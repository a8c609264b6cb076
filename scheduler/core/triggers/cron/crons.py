"""Cron triggers: by an expression, or by fields in APScheduler's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache, partial
from typing import Any

from apscheduler.triggers.cron import CronTrigger as StockCronTrigger
from apscheduler.triggers.cron.expressions import LastDayOfMonthExpression, WeekdayPositionExpression
from apscheduler.triggers.cron.fields import BaseField

from scheduler.core.triggers import error_messages
from scheduler.core.triggers.cron.crontab import Crontab, parse_expression
from scheduler.core.triggers.trigger import WallClockTrigger
from scheduler.core.triggers.wall_time import MatchingDays, TimesOfDay, WallClock, day_number
from scheduler.errors import InvalidTrigger, NeverFires
from scheduler.messages import message, phrase

FIELD_NAMES: tuple[str, ...] = StockCronTrigger.FIELD_NAMES
DAY_FIELDS = ("year", "month", "day", "week", "day_of_week")
LONGEST_FIELD = 100
MOST_ITEMS = 60
FIRST_YEAR, LAST_YEAR = 1970, 9999
_BY_MONTH = (LastDayOfMonthExpression, WeekdayPositionExpression)

_LABELS = {
    "year": message("Year"),
    "month": message("Month"),
    "day": message("Day"),
    "week": message("Week"),
    "day_of_week": message("Day of week"),
    "hour": message("Hour"),
    "minute": message("Minute"),
    "second": message("Second"),
}
_ALLOWED = {
    "year": message("1970 to 9999"),
    "month": message("1 to 12, or jan to dec"),
    "day": message("1 to 31, last, or a weekday of the month such as 2nd sun"),
    "week": message("1 to 53"),
    "day_of_week": message("0 (Monday) to 6 (Sunday), or mon to sun"),
    "hour": message("0 to 23"),
    "minute": message("0 to 59"),
    "second": message("0 to 59"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CronTrigger(WallClockTrigger):
    """Fires when a cron expression matches."""

    expression: str
    crontab: Crontab = field(compare=False, repr=False)

    def as_json(self) -> dict[str, Any]:
        return {"type": "cron", "expression": self.expression, **self._bounds_as_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldsTrigger(WallClockTrigger):
    """Fires when every field matches. Weekdays are counted from Monday, 0, as APScheduler does."""

    fields: tuple[tuple[str, str], ...]
    """Name and expression of those that were given, from year to second."""

    def as_json(self) -> dict[str, Any]:
        return {"type": "cron", "fields": dict(self.fields), **self._bounds_as_json()}


def cron_by_expression(expression: object, *, zone: tzinfo, **bounds: Any) -> CronTrigger:
    """
    :raises InvalidTrigger: the expression cannot be used
    :raises NeverFires: no day matches
    """
    crontab = parse_expression(expression)
    clock = WallClock(days=crontab.days, times=crontab.times, zone=zone, follows_clock=crontab.follows_clock)
    return CronTrigger(expression=crontab.text, crontab=crontab, clock=clock, **bounds)


def cron_by_fields(values: object, *, zone: tzinfo, **bounds: Any) -> FieldsTrigger:
    """
    :raises InvalidTrigger: a field cannot be used
    :raises NeverFires: no day matches
    """
    if not isinstance(values, Mapping) or not any(value is not None for value in values.values()):
        raise InvalidTrigger(
            error_messages.CRON_FIELDS_NEEDED(names=", ".join(FIELD_NAMES)),
            pointer="/fields",
            code="wrong_type",
        )
    for name in values:
        if name not in FIELD_NAMES:
            raise InvalidTrigger(
                error_messages.UNKNOWN_CRON_FIELD(name=str(name)[:64], names=", ".join(FIELD_NAMES)),
                pointer=f"/fields/{str(name)[:64]}",
                code="unknown_key",
            )
    given = {name: _text(name, values[name]) for name in FIELD_NAMES if values.get(name) is not None}
    compiled = _compile(given)
    clock = WallClock(
        days=_days(compiled),
        times=TimesOfDay(
            hours=_values(compiled["hour"], 24),
            minutes=_values(compiled["minute"], 60),
            seconds=_values(compiled["second"], 60),
        ),
        zone=zone,
        follows_clock=any(str(compiled[name]).startswith("*") for name in ("hour", "minute")),
    )
    return FieldsTrigger(fields=tuple((name, str(compiled[name])) for name in given), clock=clock, **bounds)


def _text(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _bad_field(name, str(value)[:LONGEST_FIELD])
    text = str(value).strip()
    if len(text) > LONGEST_FIELD or text.count(",") >= MOST_ITEMS:
        raise InvalidTrigger(
            error_messages.CRON_FIELD_TOO_LONG(
                field=phrase(_LABELS[name]),
                characters=LONGEST_FIELD,
                items=MOST_ITEMS,
            ),
            pointer=f"/fields/{name}",
            code="too_long",
        )
    return text


def _compile(given: dict[str, str]) -> dict[str, BaseField]:
    """Compile all eight fields with APScheduler's classes. Those after the last given one are at their minimum."""
    compiled: dict[str, BaseField] = {}
    for name in given:
        field_class = StockCronTrigger.FIELDS_MAP[name]
        try:
            compiled[name] = field_class(name, given[name].lower())
        except ValueError:
            raise _bad_field(name, given[name]) from None
        # APScheduler looks only at how an item begins: what follows would be ignored silently.
        items = [item.strip() for item in given[name].lower().split(",")]
        for item, expression in zip(items, compiled[name].expressions, strict=True):
            if not expression.value_re.fullmatch(item):
                raise _bad_field(name, given[name])
    stock = StockCronTrigger(**given, timezone="UTC")
    return {stock_field.name: compiled.get(stock_field.name, stock_field) for stock_field in stock.fields}


def _values(compiled: BaseField, size: int) -> tuple[int, ...]:
    """List which values of an hour, minute or second match."""
    midnight = datetime(2000, 1, 1, tzinfo=UTC)
    step = {"hour": timedelta(hours=1), "minute": timedelta(minutes=1), "second": timedelta(seconds=1)}[compiled.name]
    return tuple(value for value in range(size) if compiled.get_next_value(midnight + value * step) == value)


def _days(compiled: dict[str, BaseField]) -> MatchingDays:
    years = None
    if str(compiled["year"]) != "*":
        years = _years(str(compiled["year"]))
    months = frozenset(
        month for month in range(1, 13) if compiled["month"].get_next_value(date(2000, month, 1)) == month
    )
    rules = tuple(_rule(compiled[name]) for name in ("day", "week", "day_of_week") if str(compiled[name]) != "*")
    days = MatchingDays(accepts=partial(_matches, rules), months=months, years=years)
    if days.at_or_after(day_number(date(FIRST_YEAR, 1, 1))) is None:
        raise NeverFires(error_messages.NO_DATE_MATCHES_FIELDS(), pointer="/fields")
    return days


@lru_cache(maxsize=256)
def _years(text: str) -> frozenset[int]:
    """List the years of a field that was checked before. APScheduler's classes would be asked 8,000 times."""
    found: set[int] = set()
    for item in text.split(","):
        term, _, step = item.strip().partition("/")
        first, _, last = term.partition("-")
        if term == "*":
            first, last = str(FIRST_YEAR), str(LAST_YEAR)
        elif step and not last:
            last = str(LAST_YEAR)
        found.update(range(int(first), int(last or first) + 1, int(step or 1)))
    return frozenset(found)


def _matches(rules: tuple[Callable[[date], bool], ...], day: date) -> bool:
    return all(rule(day) for rule in rules)


def _rule(field: BaseField) -> Callable[[date], bool]:
    """Return whether a day matches: by a set of the values that do, unless that depends on the month."""
    if any(type(expression) in _BY_MONTH for expression in field.expressions):
        return lambda day: bool(field.get_next_value(day) == field.get_value(day))
    # A year that has each day, week and weekday.
    year = (date(2020, 1, 1) + timedelta(days=number) for number in range(366))
    values = frozenset(field.get_value(day) for day in year if field.get_next_value(day) == field.get_value(day))
    return lambda day: field.get_value(day) in values


def _bad_field(name: str, text: str) -> InvalidTrigger:
    return InvalidTrigger(
        error_messages.CRON_FIELD_OUT_OF_RANGE(
            field=phrase(_LABELS[name]),
            text=text,
            allowed=phrase(_ALLOWED[name]),
        ),
        pointer=f"/fields/{name}",
        code="invalid_field",
    )
