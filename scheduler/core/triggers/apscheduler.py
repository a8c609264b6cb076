"""
Conversion to and from APScheduler's trigger objects, so that ``add_job(func, IntervalTrigger(…))`` keeps working.

Objects that our JSON cannot express (subclasses, foreign trigger classes) are rejected by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger as StockCalendarTrigger
from apscheduler.triggers.combining import AndTrigger as StockAndTrigger
from apscheduler.triggers.combining import OrTrigger as StockOrTrigger
from apscheduler.triggers.cron import CronTrigger as StockCronTrigger
from apscheduler.triggers.date import DateTrigger as StockDateTrigger
from apscheduler.triggers.interval import IntervalTrigger as StockIntervalTrigger

from scheduler.core.triggers.dates import DateTrigger
from scheduler.core.triggers.description.sentences import describe
from scheduler.core.triggers.intervals import IntervalTrigger
from scheduler.core.triggers.reading import parse
from scheduler.core.triggers.trigger import rfc3339
from scheduler.core.triggers.zones import offset_name, zone_name, zone_named
from scheduler.errors import InvalidTrigger


class JsonTrigger(BaseTrigger):
    """A trigger of ours where APScheduler wants one of its own. Pickled as its JSON."""

    __slots__ = ("_compiled", "form")

    def __init__(self, form: Mapping[str, Any]) -> None:
        self.form = dict(form)
        self._compiled = parse(self.form)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """Return the next fire time on the clock of the trigger's zone. Jitter is not in it: the engine adds that."""
        if previous_fire_time is None:
            found = self._compiled.first_after(now)
        else:
            found = self._compiled.next_after(previous_fire_time)
        return None if found is None else found.astimezone(zone_named(self._compiled.timezone))

    def __getstate__(self) -> dict[str, Any]:
        return {"version": 1, "trigger": self.form}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.form = state["trigger"]
        self._compiled = parse(self.form)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JsonTrigger) and self._compiled == other._compiled

    def __hash__(self) -> int:
        return hash(self._compiled)

    def __str__(self) -> str:
        return describe(self._compiled)

    def __repr__(self) -> str:
        return f"<JsonTrigger ({self.form!r})>"


def to_apscheduler(trigger: Mapping[str, Any]) -> BaseTrigger:
    """
    Return an APScheduler trigger: its own class where that decides rightly (date, interval), ours elsewhere.

    ``from_apscheduler`` turns it back into the same JSON, if that was normalized.

    :raises InvalidTrigger: it cannot be used
    """
    compiled = parse(trigger)
    zone = zone_named(compiled.timezone)
    if isinstance(compiled, DateTrigger) and compiled.as_json().keys() <= {"type", "run_at", "timezone"}:
        return StockDateTrigger(run_date=compiled.run_at.astimezone(zone), timezone=zone)
    if isinstance(compiled, IntervalTrigger) and compiled.start_at is not None:
        name, number = compiled.unit
        return StockIntervalTrigger(
            **{name: number},
            start_date=compiled.start_at.astimezone(zone),
            end_date=None if compiled.end_at is None else compiled.end_at.astimezone(zone),
            timezone=zone,
            jitter=compiled.jitter_seconds or None,
        )
    return JsonTrigger(compiled.as_json())


def from_apscheduler(trigger: BaseTrigger) -> dict[str, Any]:
    """
    Return the JSON of an APScheduler trigger.

    :raises InvalidTrigger: it cannot be written as JSON. Its class is named
    :raises NeverFires: it has no fire time
    """
    if type(trigger) is JsonTrigger:
        return dict(trigger.form)
    return parse(_form(trigger)).as_json()


def _form(trigger: BaseTrigger) -> dict[str, Any]:
    if type(trigger) is JsonTrigger:
        return trigger.form
    if type(trigger) is StockDateTrigger:
        return _date(trigger)
    if type(trigger) is StockIntervalTrigger:
        return _interval(trigger)
    if type(trigger) is StockCronTrigger:
        return _cron(trigger)
    if type(trigger) is StockCalendarTrigger:
        return _calendar(trigger)
    if type(trigger) is StockAndTrigger or type(trigger) is StockOrTrigger:
        kind = "and" if type(trigger) is StockAndTrigger else "or"
        return {"type": kind, "triggers": [_form(inner) for inner in trigger.triggers], **_jitter(trigger.jitter)}
    raise _foreign(trigger)


def _foreign(thing: object) -> InvalidTrigger:
    name = f"{type(thing).__module__}.{type(thing).__qualname__}"
    return InvalidTrigger(
        f"{name} cannot be stored: a trigger is one of APScheduler's date, interval, cron, calendar, and, or.",
        code="unknown_type",
    )


def _date(trigger: StockDateTrigger) -> dict[str, Any]:
    moment = trigger.run_date
    try:
        name = zone_name(moment.tzinfo)
    except LookupError:
        # A single instant is held as well by the offset it was given with.
        name = offset_name(int(moment.utcoffset().total_seconds()))
    return {"type": "date", "run_at": rfc3339(moment, zone_named(name)), "timezone": name}


def _interval(trigger: StockIntervalTrigger) -> dict[str, Any]:
    seconds = trigger.interval.total_seconds()
    return {
        "type": "interval",
        "seconds": int(seconds) if seconds.is_integer() else seconds,
        **_limits(trigger.timezone, trigger.start_date, trigger.end_date),
        **_jitter(trigger.jitter),
    }


def _cron(trigger: StockCronTrigger) -> dict[str, Any]:
    for field in trigger.fields:
        if type(field) is not StockCronTrigger.FIELDS_MAP.get(field.name):
            raise _foreign(field)
    # A CronTrigger without any field fires every second.
    fields = {field.name: str(field) for field in trigger.fields if not field.is_default} or {"second": "*"}
    return {
        "type": "cron",
        "fields": fields,
        **_limits(trigger.timezone, trigger.start_date, trigger.end_date),
        **_jitter(trigger.jitter),
    }


def _calendar(trigger: StockCalendarTrigger) -> dict[str, Any]:
    form = {
        "type": "calendar",
        "years": trigger.years,
        "months": trigger.months,
        "weeks": trigger.weeks,
        "days": trigger.days,
        "at": trigger._time.isoformat(timespec="seconds").partition("+")[0][:8],
        "timezone": _name(trigger.timezone),
        "start_at": f"{trigger.start_date.isoformat()}T00:00:00",
        **_jitter(trigger.jitter),
    }
    if trigger.end_date is not None:
        form["end_at"] = f"{trigger.end_date.isoformat()}T23:59:59"
    return form


def _limits(zone: tzinfo, start: datetime | None, end: datetime | None) -> dict[str, Any]:
    form: dict[str, Any] = {"timezone": _name(zone)}
    local = zone_named(form["timezone"])
    if start is not None:
        form["start_at"] = rfc3339(start, local)
    if end is not None:
        form["end_at"] = rfc3339(end, local)
    return form


def _name(zone: tzinfo) -> str:
    try:
        return zone_name(zone)
    except LookupError:
        raise InvalidTrigger(
            f"{zone!r} is not a time zone that has a name. Choose a region such as Europe/Berlin.",
            pointer="/timezone",
            code="unknown_timezone",
        ) from None


def _jitter(jitter: int | None) -> dict[str, Any]:
    return {"jitter_seconds": jitter} if jitter else {}
