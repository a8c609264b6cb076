"""
Triggers as stock APScheduler has them, for ``job_state``: its own classes wherever they mean the same rule.

A rule has no such class if it needs what APScheduler lacks: ``LW``, ``15W`` and ``L-2``, a day of the month and a
position of a weekday that must both match, and combinations other than any of several crons. APScheduler asks each part
about the fire times of the others; its ``AndTrigger`` never returns from its second fire time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import OrTrigger as StockOrTrigger
from apscheduler.triggers.cron import CronTrigger as StockCronTrigger
from cronsim.cronsim import CronSim

from scheduler.core import triggers
from scheduler.core.triggers.apscheduler import JsonTrigger, to_apscheduler
from scheduler.core.triggers.calendar_intervals import CalendarTrigger
from scheduler.core.triggers.combinations import OrTrigger
from scheduler.core.triggers.cron.crons import CronTrigger, FieldsTrigger
from scheduler.core.triggers.cron.crontab import Crontab
from scheduler.core.triggers.dates import DateTrigger
from scheduler.core.triggers.intervals import IntervalTrigger
from scheduler.core.triggers.trigger import Trigger, WallClockTrigger
from scheduler.core.triggers.zones import zone_named

_SAYABLE = frozenset(
    {
        *("type", "expression", "fields", "triggers", "timezone", "start_at", "end_at", "jitter_seconds"),
        *("years", "months", "weeks", "days", "at"),
    }
)
"""The parts of a trigger that APScheduler has too."""

_LAST = CronSim.LAST
_POSITIONS = {1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 5: "5th", _LAST: "last"}
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


def as_stock(trigger: Mapping[str, Any]) -> BaseTrigger | None:
    """
    Return the trigger in APScheduler's own classes. ``None``: they cannot say this rule.

    :raises InvalidTrigger: it cannot be used
    """
    return _of(triggers.parse(trigger))


@lru_cache(maxsize=512)
def _of(compiled: Trigger) -> BaseTrigger | None:
    if isinstance(compiled, DateTrigger | IntervalTrigger):
        own = to_apscheduler(compiled.as_json())
        return None if type(own) is JsonTrigger else own
    return _stock(compiled)


def _stock(trigger: Trigger) -> BaseTrigger | None:
    if not trigger.as_json().keys() <= _SAYABLE:
        return None
    if isinstance(trigger, FieldsTrigger):
        return StockCronTrigger(**dict(trigger.fields), **_bounds(trigger))
    if isinstance(trigger, CronTrigger):
        return _crontab(trigger)
    if isinstance(trigger, CalendarTrigger):
        return _calendar(trigger)
    if isinstance(trigger, OrTrigger):
        return _any_of(trigger)
    return None


def _crontab(trigger: CronTrigger) -> BaseTrigger | None:
    crontab = trigger.crontab
    days = _days(crontab)
    if not days:
        return None
    times = {
        "second": _listed(crontab.times.seconds, 60),
        "minute": _listed(crontab.times.minutes, 60),
        "hour": _listed(crontab.times.hours, 24),
        "month": _listed(sorted(crontab.months), 12),
    }
    bounds = _bounds(trigger)
    if len(days) == 1:
        return StockCronTrigger(**times, **days[0], **bounds)
    jitter = bounds.pop("jitter")
    return StockOrTrigger([StockCronTrigger(**times, **each, **bounds) for each in days], jitter=jitter)


def _days(crontab: Crontab) -> list[dict[str, str]]:
    """Return the fields of the days, each of which is enough. Empty: APScheduler has no words for them."""
    if crontab.special_days or any(day < 0 and day != _LAST for day in crontab.month_days):
        return []
    has_day, has_weekday = crontab.parts[3] != "*", crontab.parts[5] != "*"
    by_day = {"day": ",".join("last" if day == _LAST else str(day) for day in sorted(crontab.month_days))}
    by_week = _weekdays(crontab) if has_weekday else []
    if not has_day:
        return by_week or [{}]
    if crontab.either_day or not by_week:
        return [by_day, *by_week]
    return [] if any("day" in each for each in by_week) else [{**by_day, **each} for each in by_week]


def _weekdays(crontab: Crontab) -> list[dict[str, str]]:
    """Return the fields of plain weekdays, and of those with a position in their month."""
    plain = sorted({day % 7 for day in crontab.weekdays if isinstance(day, int)})
    placed = [f"{_POSITIONS[day[1]]} {_WEEKDAYS[day[0]]}" for day in crontab.weekdays if isinstance(day, tuple)]
    found = []
    if plain:
        found.append({"day_of_week": ",".join(_WEEKDAYS[day] for day in plain)})
    if placed:
        found.append({"day": ",".join(sorted(placed))})
    return found


def _listed(values: tuple[int, ...] | list[int], size: int) -> str:
    return "*" if len(values) == size else ",".join(map(str, values))


def _calendar(trigger: CalendarTrigger) -> BaseTrigger | None:
    if trigger.start_at is None:
        return None
    zone = zone_named(trigger.timezone)
    end = None
    if trigger.end_at is not None:
        wall = trigger.end_at.astimezone(zone)
        end = wall.date() if wall.time() >= trigger.at else wall.date() - timedelta(days=1)
    start = (trigger.start_wall or trigger.start_at.astimezone(zone)).date()
    if end is not None and end < start:
        return None
    return CalendarIntervalTrigger(
        years=trigger.years,
        months=trigger.months,
        weeks=trigger.weeks,
        days=trigger.days,
        hour=trigger.at.hour,
        minute=trigger.at.minute,
        second=trigger.at.second,
        start_date=start,
        end_date=end,
        timezone=zone,
        jitter=trigger.jitter_seconds or None,
    )


def _any_of(trigger: OrTrigger) -> BaseTrigger | None:
    parts = [_stock(part) for part in trigger.triggers if isinstance(part, CronTrigger | FieldsTrigger)]
    has_bounds = trigger.start_at is not None or trigger.end_at is not None
    if has_bounds or None in parts or len(parts) < len(trigger.triggers):
        return None
    return StockOrTrigger(parts, jitter=trigger.jitter_seconds or None)


def _bounds(trigger: WallClockTrigger) -> dict[str, Any]:
    zone = zone_named(trigger.timezone)
    return {
        "start_date": None if trigger.start_at is None else trigger.start_at.astimezone(zone),
        "end_date": None if trigger.end_at is None else trigger.end_at.astimezone(zone),
        "timezone": zone,
        "jitter": trigger.jitter_seconds or None,
    }
