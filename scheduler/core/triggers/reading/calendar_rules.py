"""Calendars and maintenance windows in the JSON of a trigger."""

from __future__ import annotations

from collections.abc import Mapping

from scheduler.core.triggers import error_messages
from scheduler.core.triggers.calendared import CalendaredTrigger, Otherwise
from scheduler.core.triggers.calendars import contents
from scheduler.core.triggers.calendars.named import During, Named
from scheduler.core.triggers.reading.forms import MOST_CALENDARS, Form
from scheduler.core.triggers.trigger import Trigger


def with_calendars(rule: Trigger, form: Form) -> Trigger:
    """Return the trigger with the calendars and windows of the form, or as it is if these name none."""
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


def _names(form: Form, key: str) -> tuple[str, ...]:
    given = form.values.get(key, ())
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or len(names) > MOST_CALENDARS or not all(map(contents.is_name, names)):
        raise form.refuse(key, error_messages.CALENDARS_ARE_NAMES(name=key, most=MOST_CALENDARS), "wrong_type")
    return tuple(dict.fromkeys(names))


def _otherwise(form: Form, *, is_of_use: bool) -> Otherwise:
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


def _windows(form: Form, timezone: str) -> tuple[Named, ...]:
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
