"""APScheduler's trigger objects, made anew from what their pickles say about them."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from typing import Any, ClassVar, Self

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.cron.expressions import MONTHS, WEEKDAYS, WeekdayPositionExpression
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from scheduler.core.triggers.zones import zone_name, zone_named
from scheduler.errors import UnreadableState


class Recorded:
    """An object of a pickle that is not made: only the state it would have been given is kept."""

    __slots__ = ("state",)

    kind: ClassVar[str]

    def __new__(cls, *arguments: object) -> Self:
        if arguments:
            raise UnreadableState(f"Its state makes a {cls.kind} in a way that APScheduler never did.")
        recorded = super().__new__(cls)
        recorded.state = {}
        return recorded

    def __setstate__(self, state: Any) -> None:
        # Of an object without a dictionary only its slots were stored.
        self.state = state[1] if isinstance(state, tuple) and len(state) == 2 and state[0] is None else state

    def get(self, name: str) -> Any:
        """:raises UnreadableState: it has no state of that name"""
        if not isinstance(self.state, dict) or name not in self.state:
            raise UnreadableState(f"Its {self.kind} has no {name}.")
        return self.state[name]


def recorded_class(kind: str) -> type[Recorded]:
    """Return a new class for objects of a kind, so that nothing a pickle does to it lasts."""
    return type(kind, (Recorded,), {"__slots__": (), "kind": kind})


_PART_KINDS = {
    "apscheduler.triggers.cron:CronTrigger": recorded_class("cron"),
    "apscheduler.triggers.interval:IntervalTrigger": recorded_class("interval"),
    "apscheduler.triggers.date:DateTrigger": recorded_class("date"),
    "apscheduler.triggers.calendarinterval:CalendarIntervalTrigger": recorded_class("calendar"),
}


def rebuild(recorded: Recorded) -> BaseTrigger:
    """
    Return the trigger, made by APScheduler's own constructors from checked values.

    :raises UnreadableState: it is not a trigger, or a value in it has the wrong type
    """
    makers = {"cron": _cron, "interval": _interval, "date": _date, "calendar": _calendar}
    if recorded.kind in ("and", "or"):
        return _combination(recorded)
    maker = makers.get(recorded.kind)
    if maker is None:
        raise UnreadableState(f"Its trigger is a {recorded.kind}.")
    return maker(recorded)


def _combination(recorded: Recorded) -> BaseTrigger:
    """Return a combination of single triggers. APScheduler stores each part as its class by name and its state."""
    parts = []
    for pair in _list(recorded, "triggers"):
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise UnreadableState("Its combined trigger has an odd part.")
        kind = _PART_KINDS.get(pair[0])
        if kind is None:
            raise UnreadableState(f"Its combined trigger has a part of the class {pair[0][:100]!a}.")
        part = kind()
        part.__setstate__(pair[1])
        parts.append(rebuild(part))
    return (AndTrigger if recorded.kind == "and" else OrTrigger)(parts, jitter=_jitter(recorded))


def _cron(recorded: Recorded) -> BaseTrigger:
    fields = recorded.get("fields")
    if not isinstance(fields, list):
        raise UnreadableState("Its cron trigger has no list of fields.")
    given: dict[str, str] = {}
    for field in fields:
        if not isinstance(field, Recorded) or field.get("name") not in CronTrigger.FIELD_NAMES:
            raise UnreadableState("Its cron trigger has an unknown field.")
        name: str = field.get("name")
        if not field.get("is_default"):
            given[name] = ",".join(_expression(part) for part in _list(field, "expressions"))
    return CronTrigger(**(given or {"second": "*"}), **_limits(recorded))


def _expression(part: object) -> str:
    """Write an expression as APScheduler's own ``__str__`` does."""
    if not isinstance(part, Recorded):
        raise UnreadableState("Its cron trigger has an odd expression.")
    if part.kind == "LastDayOfMonthExpression":
        return "last"
    if part.kind == "WeekdayPositionExpression":
        return f"{WeekdayPositionExpression.options[_whole(part, 'option_num')]} {WEEKDAYS[_whole(part, 'weekday')]}"
    step = "" if part.get("step") is None else f"/{_whole(part, 'step')}"
    if part.kind == "AllExpression":
        return f"*{step}"
    first, last = _whole(part, "first"), part.get("last")
    if part.kind == "MonthRangeExpression":
        end = "" if last in (None, first) else f"-{MONTHS[_whole(part, 'last') - 1]}"
        return f"{MONTHS[first - 1]}{end}"
    if part.kind == "WeekdayRangeExpression":
        end = "" if last in (None, first) else f"-{WEEKDAYS[_whole(part, 'last')]}"
        return f"{WEEKDAYS[first]}{end}"
    if part.kind == "RangeExpression":
        end = "" if last in (None, first) else f"-{_whole(part, 'last')}"
        return f"{first}{end}{step}"
    raise UnreadableState("Its cron trigger has an odd expression.")


def _interval(recorded: Recorded) -> BaseTrigger:
    interval = recorded.get("interval")
    if not isinstance(interval, timedelta):
        raise UnreadableState("Its interval trigger has no interval.")
    return IntervalTrigger(
        days=interval.days, seconds=interval.seconds + interval.microseconds / 1_000_000, **_limits(recorded)
    )


def _date(recorded: Recorded) -> BaseTrigger:
    run_date = recorded.get("run_date")
    if not isinstance(run_date, datetime) or run_date.tzinfo is None:
        raise UnreadableState("Its date trigger has no date with a time zone.")
    zone = _zone_of(run_date.tzinfo)
    return DateTrigger(run_date=run_date.astimezone(zone), timezone=zone)


def _calendar(recorded: Recorded) -> BaseTrigger:
    years, months, weeks, days = _whole_numbers(_list(recorded, "interval"), 4)
    hour, minute, second = _whole_numbers(_list(recorded, "time"), 3)
    start, end = recorded.get("start_date"), recorded.get("end_date")
    if not isinstance(start, date) or not isinstance(end, date | None):
        raise UnreadableState("Its calendar trigger has a start or an end that is no date.")
    return CalendarIntervalTrigger(
        years=years,
        months=months,
        weeks=weeks,
        days=days,
        hour=hour,
        minute=minute,
        second=second,
        start_date=start,
        end_date=end,
        timezone=_zone(recorded),
        jitter=_jitter(recorded),
    )


def _limits(recorded: Recorded) -> dict[str, Any]:
    zone = _zone(recorded)
    limits: dict[str, Any] = {"timezone": zone, "jitter": _jitter(recorded)}
    for name in ("start_date", "end_date"):
        moment = recorded.get(name)
        if moment is not None and (not isinstance(moment, datetime) or moment.tzinfo is None):
            raise UnreadableState(f"Its {recorded.kind} trigger has a {name} that is no datetime with a time zone.")
        limits[name] = None if moment is None else moment.astimezone(zone)
    return limits


def _zone(recorded: Recorded) -> tzinfo:
    zone = recorded.get("timezone")
    if not isinstance(zone, tzinfo):
        raise UnreadableState(f"Its {recorded.kind} trigger has no time zone.")
    return _zone_of(zone)


def _zone_of(zone: tzinfo) -> tzinfo:
    """A zone of pytz becomes that of zoneinfo."""
    return zone_named(zone_name(zone))


def _jitter(recorded: Recorded) -> int | None:
    jitter = recorded.state.get("jitter")
    return None if jitter is None else _whole(recorded, "jitter")


def _list(recorded: Recorded, name: str) -> list[Any]:
    values = recorded.get(name)
    if not isinstance(values, list) or len(values) > 200:
        raise UnreadableState(f"Its {recorded.kind} has a {name} that is no list.")
    return values


def _whole(recorded: Recorded, name: str) -> int:
    return _whole_numbers([recorded.get(name)], 1)[0]


def _whole_numbers(values: list[Any], count: int) -> list[int]:
    if len(values) != count or not all(type(value) is int and 0 <= value < 1_000_000 for value in values):
        raise UnreadableState("Its trigger has something else than a number where one should be.")
    return values
