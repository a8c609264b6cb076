"""The stored form of a trigger, and the form that a person writes, without what the services add."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.core.triggers.reading import parse
from scheduler.core.triggers.reading.forms import PINS
from scheduler.errors import InvalidTrigger


def has_calendars(trigger: Any) -> bool:
    """Return whether a stored trigger has calendars or maintenance windows."""
    return isinstance(trigger, Mapping) and not trigger.keys().isdisjoint(("only_on", "not_on", *PINS))


def without_digests(trigger: Any) -> Any:
    """Return a trigger whose calendars are meant as they are now; its maintenance windows stay."""
    if not isinstance(trigger, Mapping) or "calendars" not in trigger:
        return trigger
    return {key: value for key, value in trigger.items() if key != "calendars"}


def without_pins(trigger: Any) -> Any:
    """Return a stored trigger as a person writes it: its calendars by name, without what the services add."""
    if not isinstance(trigger, Mapping):
        return trigger
    return {key: value for key, value in trigger.items() if key not in PINS}


def current_form(trigger: Any) -> Any:
    """Return a stored trigger in its present form. A trigger that cannot be read is returned unchanged."""
    try:
        return without_pins(parse(trigger).as_json())
    except (InvalidTrigger, TypeError, AttributeError):
        return trigger


def is_same(one: Any, other: Any) -> bool:
    """Return whether two stored triggers mean the same, however they are written."""
    if one == other:
        return True
    try:
        return parse(one) == parse(other)
    except (InvalidTrigger, TypeError, AttributeError):
        return False
