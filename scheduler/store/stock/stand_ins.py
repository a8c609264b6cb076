"""Stand-ins for the classes and functions that a pickle of stock may name: they hold their arguments and do nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any, NoReturn

from scheduler.core.triggers.zones import zone_named
from scheduler.errors import UnreadableState
from scheduler.store.stock.stock_triggers import recorded_class

_TRIGGERS = {
    ("apscheduler.triggers.cron", "CronTrigger"): "cron",
    ("apscheduler.triggers.interval", "IntervalTrigger"): "interval",
    ("apscheduler.triggers.date", "DateTrigger"): "date",
    ("apscheduler.triggers.calendarinterval", "CalendarIntervalTrigger"): "calendar",
    ("apscheduler.triggers.combining", "AndTrigger"): "and",
    ("apscheduler.triggers.combining", "OrTrigger"): "or",
    # As our own releases wrote rules of which APScheduler has no class.
    ("scheduler.core.triggers.apscheduler", "JsonTrigger"): "json",
}
_PARTS = {
    "apscheduler.triggers.cron.fields": (
        "BaseField",
        "DayOfMonthField",
        "DayOfWeekField",
        "MonthField",
        "WeekField",
    ),
    "apscheduler.triggers.cron.expressions": (
        "AllExpression",
        "RangeExpression",
        "MonthRangeExpression",
        "WeekdayRangeExpression",
        "WeekdayPositionExpression",
        "LastDayOfMonthExpression",
    ),
}


def by_name() -> dict[tuple[str, str], Any]:
    """Return new stand-ins by module and name, so that what a pickle does to them does not last."""
    known: dict[tuple[str, str], Any] = {
        ("datetime", "datetime"): datetime,
        ("datetime", "date"): date,
        ("datetime", "timedelta"): timedelta,
        ("datetime", "timezone"): timezone,
        ("zoneinfo", "ZoneInfo"): _ZONE_INFO,
        ("builtins", "getattr"): _Callable(_unpickling_of_zones),
        ("__builtin__", "getattr"): _Callable(_unpickling_of_zones),
        ("_codecs", "encode"): _Callable(_bytes),
        ("pytz", "_p"): _Callable(_pytz_zone),
        ("pytz", "_UTC"): _Callable(_utc),
        ("pytz", "FixedOffset"): _Callable(_fixed_offset),
    }
    for place, kind in _TRIGGERS.items():
        known[place] = recorded_class(kind)
    for module, names in _PARTS.items():
        for name in names:
            known[module, name] = recorded_class(name)
    return known


class _Callable:
    """A function that a pickle may call. It has no attributes that a pickle could set."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> NoReturn:
        raise UnreadableState("Its state tries to change a function.")


class _ZoneInfoClass:
    """Stands for ``zoneinfo.ZoneInfo``, of which a pickle needs one method."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> NoReturn:
        raise UnreadableState("Its state tries to change a class.")


_ZONE_INFO = _ZoneInfoClass()


class _PytzZone(tzinfo):
    """A zone of pytz at one of its offsets."""

    def __init__(self, key: str, offset: timedelta) -> None:
        self.key = key
        self._offset = offset

    def utcoffset(self, moment: datetime | None) -> timedelta:
        return self._offset

    def dst(self, moment: datetime | None) -> timedelta | None:
        return None

    def tzname(self, moment: datetime | None) -> str:
        return self.key


def _unpickling_of_zones(owner: object, name: object) -> _Callable:
    if owner is not _ZONE_INFO or name != "_unpickle":
        raise UnreadableState("Its state reaches for an attribute, which no job needs.")
    return _Callable(_zone_info)


def _bytes(text: object, encoding: object) -> bytes:
    """As protocol 2 writes bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise UnreadableState("Its state encodes text, which no job needs.")
    return text.encode("latin1")


def _zone_info(key: object, from_cache: object = True) -> tzinfo:
    return _zone(key)


def _pytz_zone(key: object, offset_seconds: object = 0, *rest: object) -> tzinfo:
    """As pytz pickles a zone: its name, then the offset that was in force at the datetime it belongs to."""
    _zone(key)
    if not isinstance(offset_seconds, int | float):
        raise UnreadableState("Its state has a time zone with an odd offset.")
    return _PytzZone(str(key), timedelta(seconds=offset_seconds))


def _utc() -> tzinfo:
    return UTC


def _fixed_offset(minutes: object) -> tzinfo:
    if not isinstance(minutes, int):
        raise UnreadableState("Its state has a time zone with an odd offset.")
    return timezone(timedelta(minutes=minutes))


def _zone(key: object) -> tzinfo:
    try:
        if isinstance(key, str):
            return zone_named(key)
    except LookupError:
        pass
    raise UnreadableState(f"{shown(key)} is not a time zone.")


def shown(value: object) -> str:
    text = ascii(str(value))[1:-1]
    return f"{text[:197]}…" if len(text) > 200 else text
