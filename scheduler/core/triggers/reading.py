"""From the JSON of a trigger to the trigger: every key is checked, unknown ones are refused by name."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from scheduler.core import hints
from scheduler.core.triggers import error_messages
from scheduler.core.triggers.calendar_intervals import CalendarTrigger, calendar_trigger
from scheduler.core.triggers.calendared import CalendaredTrigger, During, Named, Otherwise
from scheduler.core.triggers.calendars import contents
from scheduler.core.triggers.combinations import MOST_STEPS, MOST_STEPS_INSIDE, AndTrigger, Combination, OrTrigger
from scheduler.core.triggers.crons import cron_by_expression, cron_by_fields
from scheduler.core.triggers.dates import DateTrigger
from scheduler.core.triggers.intervals import LONGEST, SHORTEST, UNITS, IntervalTrigger
from scheduler.core.triggers.trigger import Trigger, short_date
from scheduler.core.triggers.zones import (
    default_zone,
    offset_name,
    parse_zone,
    resolve,
    wall_time,
    zone_name,
    zone_named,
)
from scheduler.errors import InvalidTrigger, NeverFires
from scheduler.messages import phrase, row

BOUNDS = ("timezone", "start_at", "end_at", "jitter_seconds")
CALENDAR_UNITS = ("years", "months", "weeks", "days")
KEYS: dict[str, tuple[str, ...]] = {
    "cron": ("expression", "fields"),
    "interval": tuple(UNITS),
    "date": ("run_at",),
    "calendar": (*CALENDAR_UNITS, "at"),
    "or": ("triggers",),
    "and": ("triggers",),
}
CALENDAR_KEYS = ("only_on", "not_on", "otherwise")
PINS = ("calendars", "windows")
"""What the services write beside them: the digests of the calendars, and the maintenance windows of the job's tags."""

MOST_CALENDARS = 10
LONGEST_JITTER_SECONDS = 86_400
MOST_CALENDAR_UNITS = 36_525
MOST_SECONDS = 100 * 366 * 86_400
MOST_TRIGGERS = 20
"""In all the combinations of a trigger together."""

FIRST_YEAR, LAST_YEAR = 1900, 9000
DEEPEST = 3
"""The maximum depth of combinations."""

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?(Z|[+-]\d{2}:?\d{2}(:?\d{2})?)?)?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """One JSON object, and where it is."""

    values: dict[str, Any]
    place: str
    depth: int
    within_and: bool

    def refuse(self, key: str, message: str, code: str) -> InvalidTrigger:
        return InvalidTrigger(message, pointer=f"{self.place}/{key}" if key else self.place, code=code)


def parse(trigger: Mapping[str, Any]) -> Trigger:
    """
    Check the JSON form of a trigger and compile it.

    :raises InvalidTrigger: saying which part cannot be used, and why
    :raises NeverFires: it is well formed, but has no fire time
    """
    seen = _seen.get()
    if seen is None:
        return _parse(trigger, place="", depth=0, within_and=False)
    text = repr(trigger)
    if text not in seen:
        seen[text] = _parse(trigger, place="", depth=0, within_and=False)
    return seen[text]


_seen: ContextVar[dict[str, Trigger] | None] = ContextVar("scheduler_triggers_seen", default=None)


@contextmanager
def parsing_once() -> Iterator[None]:
    """Within this block, compile each trigger once: for many jobs in one transaction."""
    token = _seen.set({})
    try:
        yield
    finally:
        _seen.reset(token)


@lru_cache(maxsize=8192)
def parse_cached(text: str) -> Trigger:
    """
    ``parse`` for a trigger that is JSON text, fast for a text that was seen before. Safe in threads.

    :raises InvalidTrigger: as ``parse``, or the text is not JSON
    :raises NeverFires: as ``parse``
    """
    try:
        trigger = json.loads(text)
    except ValueError:
        raise InvalidTrigger(error_messages.TRIGGER_IS_NOT_JSON(), code="wrong_type") from None
    return parse(trigger)


def _parse(trigger: object, *, place: str, depth: int, within_and: bool) -> Trigger:
    if not isinstance(trigger, Mapping):
        raise InvalidTrigger(
            error_messages.TRIGGER_IS_AN_OBJECT(example="{“type”: “interval”, “minutes”: 30}"),
            pointer=place,
            code="wrong_type",
        )
    values = {key: value for key, value in trigger.items() if value is not None}
    if not values.keys().isdisjoint((*CALENDAR_KEYS, *PINS)):
        return _with_calendars(values, place=place, depth=depth)
    form = _Form(values=values, place=place, depth=depth, within_and=within_and)
    kind = form.values.get("type")
    if not isinstance(kind, str) or kind not in KEYS:
        raise form.refuse("type", _unknown_type(kind), "unknown_type" if kind is not None else "missing")
    allowed = ("type", *KEYS[kind], *BOUNDS, *(CALENDAR_KEYS if not depth else ()))
    for key in form.values:
        if key not in allowed:
            raise form.refuse(str(key)[:64], _unknown_key(kind, str(key)[:64], allowed), "unknown_key")
    try:
        compiled = _BUILDERS[kind](form)
        _check_bounds(compiled, form)
    except NeverFires as error:
        raise NeverFires(error.message, pointer=_below(place, error.pointer)) from None
    except InvalidTrigger as error:
        raise InvalidTrigger(error.message, pointer=_below(place, error.pointer), code=error.code) from None
    return compiled


def _with_calendars(values: dict[str, Any], *, place: str, depth: int) -> Trigger:
    given = {key: values.pop(key) for key in (*CALENDAR_KEYS, *PINS) if key in values}
    form = _Form(values=given, place=place, depth=depth, within_and=False)
    if depth:
        key = next(iter(given))
        raise form.refuse(key, error_messages.CALENDARS_ON_PARTS(name=key), "unknown_key")
    rule = _parse(values, place=place, depth=0, within_and=False)
    only_on, not_on = _names(form, "only_on"), _names(form, "not_on")
    otherwise = _otherwise(form, is_of_use=bool(only_on or not_on))
    pinned = form.values.get("calendars")
    pins = (
        {name: digest for name, digest in pinned.items() if isinstance(digest, str)} if isinstance(pinned, dict) else {}
    )
    windows = _windows(form, rule.timezone)
    if not (only_on or not_on or windows):
        return rule
    return CalendaredTrigger.around(
        rule,
        only_on=only_on,
        not_on=not_on,
        otherwise=otherwise,
        on=_named(only_on, pins, timezone=rule.timezone, key="only_on"),
        off=_named(not_on, pins, timezone=rule.timezone, key="not_on"),
        windows=windows,
    )


def _names(form: _Form, key: str) -> tuple[str, ...]:
    given = form.values.get(key, ())
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or len(names) > MOST_CALENDARS or not all(map(contents.is_name, names)):
        raise form.refuse(key, error_messages.CALENDARS_ARE_NAMES(name=key, most=MOST_CALENDARS), "wrong_type")
    return tuple(dict.fromkeys(names))


def _otherwise(form: _Form, *, is_of_use: bool) -> Otherwise:
    given = form.values.get("otherwise", Otherwise.SKIP)
    if not isinstance(given, str) or given not in tuple(Otherwise):
        raise form.refuse("otherwise", error_messages.OTHERWISE_UNKNOWN(choices=", ".join(Otherwise)), "unknown_choice")
    if not is_of_use and given != Otherwise.SKIP:
        raise form.refuse("otherwise", error_messages.OTHERWISE_ALONE(), "missing")
    return Otherwise(given)


def _named(names: tuple[str, ...], pins: Mapping[str, str], *, timezone: str, key: str) -> tuple[Named, ...]:
    """Return the calendars as the trigger was stored with them, or as they are now."""
    missing = [name for name in names if name not in pins]
    digests = {**pins, **(contents.current_digests(missing, key=key) if missing else {})}
    return tuple(
        Named(
            name=name,
            digest=digests[name],
            calendar=contents.calendar(digests[name], name=name, timezone=timezone, key=key),
        )
        for name in names
    )


def _windows(form: _Form, timezone: str) -> tuple[Named, ...]:
    """Read the maintenance windows, which only the services write."""
    given = form.values.get("windows", {})
    try:
        pinned = [(name, str(digest), During(during)) for name, (digest, during) in given.items()]
    except (AttributeError, TypeError, ValueError):
        raise form.refuse(
            "windows", error_messages.CALENDARS_ARE_NAMES(name="windows", most=MOST_CALENDARS), "wrong_type"
        ) from None
    return tuple(
        Named(
            name=name,
            digest=digest,
            calendar=contents.calendar(digest, name=name, timezone=timezone, key="windows"),
            during=during,
        )
        for name, digest, during in pinned
    )


def _below(place: str, pointer: str) -> str:
    return pointer if pointer.startswith(place) else place + pointer


def _unknown_type(kind: object) -> str:
    types = ", ".join(KEYS)
    if kind is None:
        return error_messages.TYPE_NEEDED(types=types)
    return error_messages.UNKNOWN_TYPE(kind=str(kind)[:64], types=types)


def _unknown_key(kind: str, key: str, allowed: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(key, allowed, n=1)
    hint = hints.DID_YOU_MEAN(name=close[0]) if close else hints.TAKES(names=", ".join(allowed[1:]))
    return row(" ", [error_messages.UNKNOWN_KEY(trigger=_called(kind), key=key), hint])


def _called(kind: str) -> str:
    """``A cron trigger``, ``An interval trigger``."""
    if kind[0] in "aio":
        return phrase("An {kind} trigger", kind=kind)
    return phrase("A {kind} trigger", kind=kind)


def _zone(form: _Form, default: tzinfo | None = None) -> tzinfo:
    if "timezone" not in form.values and default is not None:
        return default
    return parse_zone(form.values.get("timezone", default_zone()), pointer=f"{form.place}/timezone")


def _bounds(form: _Form, zone: tzinfo) -> dict[str, Any]:
    jitter = form.values.get("jitter_seconds", 0)
    if isinstance(jitter, bool) or not isinstance(jitter, int) or not 0 <= jitter <= LONGEST_JITTER_SECONDS:
        raise form.refuse(
            "jitter_seconds",
            error_messages.JITTER_OUT_OF_RANGE(most=LONGEST_JITTER_SECONDS),
            "invalid",
        )
    start_at, start_wall = _time_of(form, "start_at", zone)
    end_at, end_wall = _time_of(form, "end_at", zone)
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


def _check_bounds(trigger: Trigger, form: _Form) -> None:
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


def _time_of(form: _Form, key: str, zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    """
    Read a time: the instant that it is now, and the wall time that is meant.

    A time without an offset is meant on the clocks of the trigger's zone. So is one with an offset, which older
    releases wrote everywhere: only the phase of an interval is an instant.
    """
    if key not in form.values:
        return None, None
    moment = _moment(form, key)
    if moment.tzinfo is None:
        return resolve(moment, zone), moment
    at = _in_utc(form, key, moment)
    is_phase = form.values["type"] == "interval" and key == "start_at"
    return at, None if is_phase else wall_time(at, zone)


def _in_utc(form: _Form, key: str, moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise form.refuse(
            key, error_messages.YEAR_OUT_OF_RANGE(key=key, year=f"{moment.year}"), "invalid_time"
        ) from None


def _moment(form: _Form, key: str) -> datetime:
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


def _numbers(form: _Form, units: tuple[str, ...], *, fractions: tuple[str, ...] = ()) -> dict[str, Any]:
    numbers = {name: form.values[name] for name in units if name in form.values}
    for name, number in numbers.items():
        fits = isinstance(number, int | float) if name in fractions else isinstance(number, int)
        if isinstance(number, bool) or not fits or not 0 <= number <= MOST_SECONDS:
            problem = error_messages.NOT_A_WHOLE_NUMBER(name=name, text=str(number)[:64])
            raise form.refuse(name, problem, "invalid_number")
    if not any(numbers.values()):
        called = _called(form.values["type"])
        needed = error_messages.UNIT_NEEDED(trigger=called, units=", ".join(units))
        if zero := next(iter(numbers), ""):
            too_short = error_messages.TOO_SHORT(name=zero)
            raise form.refuse(zero, row(" ", [too_short, needed]), "too_short")
        raise form.refuse("", needed, "missing")
    return numbers


def _cron(form: _Form) -> Trigger:
    given = [key for key in KEYS["cron"] if key in form.values]
    if len(given) != 1:
        if given:
            both = error_messages.CRON_HAS_BOTH()
            raise form.refuse("expression", both, "ambiguous")
        neither = error_messages.CRON_HAS_NEITHER()
        raise form.refuse("expression", neither, "missing")
    zone = _zone(form)
    bounds = _bounds(form, zone)
    if given == ["expression"]:
        return cron_by_expression(form.values["expression"], zone=zone, **bounds)
    return cron_by_fields(form.values["fields"], zone=zone, **bounds)


def _interval(form: _Form) -> IntervalTrigger:
    numbers = _numbers(form, tuple(UNITS), fractions=("seconds",))
    try:
        interval = sum((UNITS[name] * number for name, number in numbers.items()), timedelta())
    except OverflowError:
        interval = timedelta.max
    if not SHORTEST <= interval <= LONGEST:
        raise form.refuse(next(iter(numbers)), error_messages.INTERVAL_OUT_OF_RANGE(), "out_of_range")
    return IntervalTrigger(interval=interval, **_bounds(form, _zone(form)))


def _date(form: _Form) -> DateTrigger:
    if "run_at" not in form.values:
        raise form.refuse("run_at", error_messages.DATE_NEEDED(), "missing")
    moment = _moment(form, "run_at")
    zone = _zone(form, _own_zone(moment))
    run_at, run_wall = _time_of(form, "run_at", zone)
    assert run_at is not None  # noqa: S101 - it was looked for above
    return DateTrigger(run_at=run_at, run_wall=run_wall, **_bounds(form, zone))


def _own_zone(moment: datetime) -> tzinfo | None:
    """Return the offset a time was written with, so that it is shown as it was written."""
    offset = moment.utcoffset()
    return None if offset is None else parse_zone(offset_name(int(offset.total_seconds())), pointer="/run_at")


def _calendar(form: _Form) -> CalendarTrigger:
    numbers = _numbers(form, CALENDAR_UNITS)
    for name, number in numbers.items():
        if number > MOST_CALENDAR_UNITS:
            raise form.refuse(name, error_messages.TOO_LARGE(name=name, most=MOST_CALENDAR_UNITS), "out_of_range")
    zone = _zone(form)
    return calendar_trigger(**numbers, at=_time(form), **_bounds(form, zone))


def _time(form: _Form) -> time:
    value = form.values.get("at", "00:00")
    if isinstance(value, time):
        value = value.isoformat(timespec="seconds")
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        problem = error_messages.NOT_A_TIME_OF_DAY(text=str(value)[:64])
        raise form.refuse("at", problem, "invalid_time")
    hour, minute, second = match.groups()
    return time(int(hour), int(minute), int(second or 0))


def _combination(form: _Form) -> Combination:
    kind = form.values["type"]
    triggers = form.values.get("triggers")
    if not isinstance(triggers, list | tuple) or not 1 <= len(triggers) <= MOST_TRIGGERS:
        raise form.refuse(
            "triggers",
            error_messages.TRIGGERS_NEEDED(kind=kind, most=MOST_TRIGGERS),
            "wrong_type",
        )
    if form.depth >= DEEPEST:
        problem = error_messages.TOO_DEEP(most=DEEPEST)
        raise form.refuse("triggers", problem, "too_deep")
    if form.depth == 0 and _size(form.values, deep=DEEPEST) > MOST_TRIGGERS:
        problem = error_messages.TOO_MANY_TRIGGERS(most=MOST_TRIGGERS)
        raise form.refuse("triggers", problem, "too_long")
    inner = tuple(
        _parse(
            trigger,
            place=f"{form.place}/triggers/{index}",
            depth=form.depth + 1,
            within_and=form.within_and or kind == "and",
        )
        for index, trigger in enumerate(triggers)
    )
    bounds = _bounds(form, _zone(form, zone_named(inner[0].timezone)))
    if kind == "or":
        return OrTrigger(triggers=inner, **bounds)
    return AndTrigger(triggers=inner, most_steps=MOST_STEPS_INSIDE if form.within_and else MOST_STEPS, **bounds)


def _size(trigger: object, *, deep: int) -> int:
    """Count the simple triggers before compiling them."""
    inner = trigger.get("triggers") if isinstance(trigger, Mapping) else None
    if not isinstance(inner, list | tuple) or not deep:
        return 1
    return sum(_size(part, deep=deep - 1) for part in inner[: MOST_TRIGGERS + 1])


_BUILDERS: dict[str, Callable[[_Form], Trigger]] = {
    "cron": _cron,
    "interval": _interval,
    "date": _date,
    "calendar": _calendar,
    "or": _combination,
    "and": _combination,
}
