"""Times in the JSON of a trigger: its zone, its bounds, and moments as they are meant on the clocks of the zone."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

from scheduler.core.triggers import error_messages
from scheduler.core.triggers.dates import DateTrigger
from scheduler.core.triggers.reading.forms import FIRST_YEAR, LAST_YEAR, LONGEST_JITTER_SECONDS, Form
from scheduler.core.triggers.trigger import Trigger, short_date
from scheduler.core.triggers.zones import default_zone, parse_zone, resolve, wall_time, zone_name
from scheduler.errors import NeverFires

_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?(Z|[+-]\d{2}:?\d{2}(:?\d{2})?)?)?",
    re.ASCII | re.IGNORECASE,
)


def zone_of(form: Form, default: tzinfo | None = None) -> tzinfo:
    if "timezone" not in form.values and default is not None:
        return default
    return parse_zone(form.values.get("timezone", default_zone()), pointer=f"{form.place}/timezone")


def bounds_of(form: Form, zone: tzinfo) -> dict[str, Any]:
    jitter = form.values.get("jitter_seconds", 0)
    if isinstance(jitter, bool) or not isinstance(jitter, int) or not 0 <= jitter <= LONGEST_JITTER_SECONDS:
        raise form.refuse(
            "jitter_seconds",
            error_messages.JITTER_OUT_OF_RANGE(most=LONGEST_JITTER_SECONDS),
            "invalid",
        )
    start_at, start_wall = time_of(form, "start_at", zone)
    end_at, end_wall = time_of(form, "end_at", zone)
    if start_at is not None and end_at is not None and end_at < start_at:
        raise form.refuse("end_at", error_messages.ENDS_BEFORE_IT_STARTS(), "ends_before_start")
    return {
        "timezone": zone_name(zone),
        "start_at": start_at,
        "start_wall": start_wall,
        "end_at": end_at,
        "end_wall": end_wall,
        "jitter_seconds": jitter,
    }


def check_bounds(trigger: Trigger, form: Form) -> None:
    """:raises NeverFires: the end is before the start"""
    if trigger.end_at is None:
        return
    if isinstance(trigger, DateTrigger):
        if trigger.at_or_after(trigger.run_at) is None:
            raise ends_too_early(trigger, first=trigger.run_at, place=form.place)
    elif trigger.start_at is not None and trigger.at_or_after(trigger.start_at) is None:
        first = replace(trigger, end_at=None).at_or_after(trigger.start_at)
        raise ends_too_early(trigger, first=first, place=form.place)


def ends_too_early(trigger: Trigger, *, first: datetime | None, place: str = "") -> NeverFires:
    """The error for an end before the first run, with the time of that run if it is known."""
    problem = (
        error_messages.ENDS_BEFORE_FIRST_RUN_ON(date=short_date(first, trigger.timezone))
        if first is not None
        else error_messages.ENDS_BEFORE_FIRST_RUN()
    )
    return NeverFires(problem, pointer=f"{place}/end_at")


def time_of(form: Form, key: str, zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    """
    Read a time: the instant that it is now, and the wall time that is meant.

    A time without an offset is meant on the clocks of the trigger's zone. So is one with an offset, which older
    releases wrote everywhere: only the phase of an interval is an instant.
    """
    if key not in form.values:
        return None, None
    moment = moment_of(form, key)
    if moment.tzinfo is None:
        return resolve(moment, zone), moment
    at = _in_utc(form, key, moment)
    is_phase = form.values["type"] == "interval" and key == "start_at"
    return at, None if is_phase else wall_time(at, zone)


def _in_utc(form: Form, key: str, moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise form.refuse(
            key, error_messages.YEAR_OUT_OF_RANGE(key=key, year=f"{moment.year}"), "invalid_time"
        ) from None


def moment_of(form: Form, key: str) -> datetime:
    value = form.values.get(key)
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime.combine(value, time())
    else:
        try:
            if not isinstance(value, str) or not _INSTANT.fullmatch(value.strip()):
                raise ValueError(value)
            moment = datetime.fromisoformat(value.strip().upper())
        except ValueError:
            raise form.refuse(
                key,
                error_messages.NOT_A_TIME(
                    key=key,
                    text=str(value)[:64],
                ),
                "invalid_time",
            ) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        years = {"first": f"{FIRST_YEAR}", "last": f"{LAST_YEAR}"}
        raise form.refuse(key, error_messages.YEAR_LIMITS(key=key, **years), "invalid_time")
    return moment
