"""A trigger in the parts that people type, and the parts put together into a trigger."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin.fields import days_parts
from scheduler.admin.fields.days_parts import WEEKDAYS, InPart
from scheduler.admin.fields.duration_field import not_a_duration
from scheduler.core import durations, triggers
from scheduler.core.triggers.zones import parse_zone
from scheduler.errors import InvalidTrigger

KINDS = {
    "every": gettext_lazy("Every …"),
    "days": gettext_lazy("On certain days"),
    "cron": gettext_lazy("Cron expression"),
    "once": gettext_lazy("Once"),
    "json": gettext_lazy("Other, as JSON"),
}
UNITS = {
    "seconds": gettext_lazy("seconds"),
    "minutes": gettext_lazy("minutes"),
    "hours": gettext_lazy("hours"),
    "days": gettext_lazy("days"),
    "weeks": gettext_lazy("weeks"),
    "months": gettext_lazy("months"),
    "years": gettext_lazy("years"),
}
OWN_PARTS = {
    "every": ("number", "unit", "at"),
    "days": days_parts.OWN,
    "cron": ("expression",),
    "once": ("run_at",),
    "json": ("json",),
}
LIMITS = ("start_at", "end_at", "jitter_seconds")
_CALENDARS = ("only_on", "not_on", "otherwise")
LONGEST = 200
_CALENDAR = ("months", "years")
DAYS_OF_POSITIONS = {**WEEKDAYS, days_parts.WORKDAY: gettext_lazy("working day (Mon–Fri)")}


class Typed(dict[str, Any]):
    """The texts in the parts of the field. Missing parts are absent or empty."""

    def said(self, name: str) -> str:
        return str(self.get(name) or "").strip()

    def relevant(self) -> dict[str, Any]:
        """The parts that count for the kind that was chosen."""
        kind = self.said("kind")
        names = OWN_PARTS.get(kind, ("json",))
        if kind != "json":
            names = (*names, "timezone", *LIMITS, *_CALENDARS)
        return {"kind": kind} | {name: self.get(name) or "" for name in names}


def put_together(typed: Typed) -> dict[str, Any]:
    """
    Return the trigger that the parts make. The rules of triggers say whether it can be used.

    :raises ValidationError: a part is not what it should be; its ``part`` names it
    """
    limits = _limits(typed)
    kind = typed.said("kind")
    rule = _days(typed, limits) if kind == "days" else _RULES[kind](typed) | limits
    return rule | _calendars(typed)


def _calendars(typed: Typed) -> dict[str, Any]:
    picked: dict[str, Any] = {name: list(typed[name]) for name in ("only_on", "not_on") if typed.get(name)}
    if picked and typed.said("otherwise") not in ("", "skip"):
        picked["otherwise"] = typed.said("otherwise")
    return picked


def _limits(typed: Typed) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    for name in ("timezone", "start_at", "end_at"):
        if text := typed.said(name):
            limits[name] = text[:LONGEST]
    if text := typed.said("jitter_seconds"):
        limits["jitter_seconds"] = _jitter(text)
    return limits


def _every(typed: Typed) -> dict[str, Any]:
    number, unit, at = _number(typed.said("number"), _("How many")), typed.said("unit"), typed.said("at")
    if unit not in UNITS:
        raise InPart(_("Choose a unit."), part="unit", code="required")
    if unit in _CALENDAR and not at:
        raise InPart(_("Choose a time of day, such as 02:30."), part="at", code="required")
    if at and unit in (*_CALENDAR, "days", "weeks"):
        return {"type": "calendar", unit: number, "at": at[:LONGEST]}
    return {"type": "interval", unit: number}


def _days(typed: Typed, limits: Mapping[str, Any]) -> dict[str, Any]:
    """Several triggers are combined with ``or``, and so is a phase with a limit of its own."""
    zone = {"timezone": limits["timezone"]} if "timezone" in limits else {}
    parts = days_parts.put_together(typed, today=_today(typed.said("timezone")))
    if len(parts) == 1 and not ("start_at" in parts[0] and "start_at" in limits):
        return {**parts[0], **limits}
    return {"type": "or", "triggers": [{**part, **zone} for part in parts], **limits}


def _today(zone: str) -> date:
    try:
        return timezone.now().astimezone(parse_zone(zone or timezone.get_default_timezone_name(), pointer="")).date()
    except InvalidTrigger:  # the rules of triggers say so
        return timezone.now().date()


def _cron(typed: Typed) -> dict[str, Any]:
    expression = typed.said("expression")
    if not expression:
        raise InPart(_("Enter a cron expression, such as 0 3 * * *."), part="expression", code="required")
    if len(expression) > LONGEST:
        raise InPart(_("An expression has at most %d characters.") % LONGEST, part="expression")
    return {"type": "cron", "expression": expression}


def _once(typed: Typed) -> dict[str, Any]:
    if not typed.said("run_at"):
        raise InPart(_("Enter a date and a time."), part="run_at", code="required")
    return {"type": "date", "run_at": typed.said("run_at")[:LONGEST]}


_RULES: dict[str, Callable[[Typed], dict[str, Any]]] = {"every": _every, "cron": _cron, "once": _once}


def _number(text: str, name: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise InPart(
            _("%(name)s: “%(text)s” is not a number.") % {"name": name, "text": text[:40]}, part="number"
        ) from None


def taken_apart(trigger: Any) -> Typed:
    """Return a stored trigger as the parts of the field, or as JSON if they cannot express it."""
    if trigger is None or trigger == "":
        return Typed(kind="every", number="1", unit="hours")
    if isinstance(trigger, str):
        try:
            trigger = json.loads(trigger)
        except (ValueError, RecursionError):
            return Typed(kind="json", json=trigger)
    trigger = triggers.current_form(trigger)
    whole = Typed(kind="json", json=json.dumps(trigger, ensure_ascii=False, indent=2))
    if isinstance(trigger, Mapping):
        picked = {name: trigger[name] for name in _CALENDARS if name in trigger}
        trigger = {name: value for name, value in trigger.items() if name not in _CALENDARS}
        whole |= picked
    if not isinstance(trigger, Mapping) or not isinstance(trigger.get("type"), str):
        return whole
    if days := _days_apart(trigger):
        return Typed(whole | days)
    rest = {name: value for name, value in trigger.items() if name not in ("type", "timezone", *LIMITS)}
    parts = _parts_of(trigger["type"], rest)
    return whole if parts is None else Typed(whole | parts | _limits_apart(trigger))


def _limits_apart(trigger: Mapping[str, Any]) -> dict[str, str]:
    limits = {name: str(trigger[name]) for name in ("timezone", *LIMITS) if trigger.get(name) not in (None, "")}
    if "jitter_seconds" in limits:
        limits["jitter_seconds"] = durations.render(trigger["jitter_seconds"])
    return limits


def _parts_of(kind: str, rest: dict[str, Any]) -> dict[str, Any] | None:
    if kind == "interval" and len(rest) == 1 and set(rest) <= set(UNITS):
        unit, number = next(iter(rest.items()))
        return {"kind": "every", "number": str(number), "unit": unit}
    if kind == "calendar" and len(rest) == 2 and "at" in rest:
        unit, number = next((name, value) for name, value in rest.items() if name != "at")
        return {"kind": "every", "number": str(number), "unit": unit, "at": str(rest["at"])}
    if kind == "cron" and set(rest) == {"expression"}:
        return {"kind": "cron", "expression": str(rest["expression"])}
    if kind == "date" and set(rest) == {"run_at"}:
        return {"kind": "once", "run_at": str(rest["run_at"])}
    return None


def _days_apart(trigger: Mapping[str, Any]) -> dict[str, Any] | None:
    """A trigger as days and times of day, if that is all it says: then they make the very same one again."""
    limits = {name: value for name, value in trigger.items() if name in ("timezone", *LIMITS)}
    parts = trigger["triggers"] if trigger["type"] == "or" else [trigger]
    if trigger["type"] == "calendar":
        limits.pop("start_at", None)
    bare = [_without_limits(part, keep_phase=part.get("type") == "calendar") for part in parts]
    found = days_parts.taken_apart(bare)
    if found is None:
        return None
    typed = Typed(kind="days", **found) | _limits_apart(limits)
    if triggers.current_form(_days(Typed(typed), limits)) != trigger:
        return None
    return typed | ({"expression": trigger["expression"]} if trigger["type"] == "cron" else {})


def _without_limits(part: Mapping[str, Any], *, keep_phase: bool) -> dict[str, Any]:
    dropped = {"timezone", "end_at", "jitter_seconds"} | (set() if keep_phase else {"start_at"})
    return {name: value for name, value in part.items() if name not in dropped}


def _jitter(text: str) -> int | float:
    try:
        seconds = durations.seconds(text)
    except durations.NotADuration:
        problem = not_a_duration(text, label=_("Random delay"))
        raise InPart(str(problem.message), part="jitter_seconds") from None
    return int(seconds) if seconds == int(seconds) else seconds
