"""From the JSON of a trigger to the trigger: every key is checked, unknown ones are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from scheduler.core.triggers import error_messages
from scheduler.core.triggers.combinations import MOST_STEPS, MOST_STEPS_INSIDE, AndTrigger, Combination, OrTrigger
from scheduler.core.triggers.reading import kinds
from scheduler.core.triggers.reading.calendar_rules import with_calendars
from scheduler.core.triggers.reading.forms import (
    BOUNDS,
    CALENDAR_KEYS,
    DEEPEST,
    KEYS,
    MOST_TRIGGERS,
    PINS,
    Form,
    unknown_key,
    unknown_type,
)
from scheduler.core.triggers.reading.instants import bounds_of, check_bounds, zone_of
from scheduler.core.triggers.trigger import Trigger
from scheduler.core.triggers.zones import zone_named
from scheduler.errors import InvalidTrigger, NeverFires
from scheduler.untouched import json


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
        return _calendared(values, place=place, depth=depth)
    form = Form(values=values, place=place, depth=depth, within_and=within_and)
    kind = form.values.get("type")
    if not isinstance(kind, str) or kind not in KEYS:
        raise form.refuse("type", unknown_type(kind), "unknown_type" if kind is not None else "missing")
    allowed = ("type", *KEYS[kind], *BOUNDS, *(CALENDAR_KEYS if not depth else ()))
    for key in form.values:
        if key not in allowed:
            raise form.refuse(str(key)[:64], unknown_key(kind, str(key)[:64], allowed), "unknown_key")
    try:
        compiled = _BUILDERS[kind](form)
        check_bounds(compiled, form)
    except NeverFires as error:
        raise NeverFires(error.message, pointer=_below(place, error.pointer)) from None
    except InvalidTrigger as error:
        raise InvalidTrigger(error.message, pointer=_below(place, error.pointer), code=error.code) from None
    return compiled


def _calendared(values: dict[str, Any], *, place: str, depth: int) -> Trigger:
    given = {key: values.pop(key) for key in (*CALENDAR_KEYS, *PINS) if key in values}
    form = Form(values=given, place=place, depth=depth, within_and=False)
    if depth:
        key = next(iter(given))
        raise form.refuse(key, error_messages.CALENDARS_ON_PARTS(name=key), "unknown_key")
    rule = _parse(values, place=place, depth=0, within_and=False)
    return with_calendars(rule, form)


def _below(place: str, pointer: str) -> str:
    return pointer if pointer.startswith(place) else place + pointer


def _combination(form: Form) -> Combination:
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
    bounds = bounds_of(form, zone_of(form, zone_named(inner[0].timezone)))
    if kind == "or":
        return OrTrigger(triggers=inner, **bounds)
    return AndTrigger(triggers=inner, most_steps=MOST_STEPS_INSIDE if form.within_and else MOST_STEPS, **bounds)


def _size(trigger: object, *, deep: int) -> int:
    """Count the simple triggers before compiling them."""
    inner = trigger.get("triggers") if isinstance(trigger, Mapping) else None
    if not isinstance(inner, list | tuple) or not deep:
        return 1
    return sum(_size(part, deep=deep - 1) for part in inner[: MOST_TRIGGERS + 1])


_BUILDERS: dict[str, Callable[[Form], Trigger]] = {
    "cron": kinds.cron,
    "interval": kinds.interval,
    "date": kinds.date,
    "calendar": kinds.calendar,
    "or": _combination,
    "and": _combination,
}
