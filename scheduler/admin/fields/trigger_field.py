"""One field for when a job fires: every so often, on days at times, by cron, once, or any trigger as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import TemplatesSetting
from django.utils import timezone
from django.utils.dates import MONTHS as NAMES_OF_MONTHS
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin.fields import days_parts
from scheduler.admin.fields.days_parts import MONTHS, WEEKDAYS, InPart
from scheduler.admin.fields.duration_field import not_a_duration
from scheduler.admin.fields.json_field import StorableJSONField
from scheduler.core import durations, triggers
from scheduler.core.triggers.zones import parse_zone
from scheduler.errors import InvalidTrigger
from scheduler.services import calendars

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
_OWN = {
    "every": ("number", "unit", "at"),
    "days": days_parts.OWN,
    "cron": ("expression",),
    "once": ("run_at",),
    "json": ("json",),
}
_FIRST = {"every": "number", "days": "times", "cron": "expression", "once": "run_at"}
_LIMITS = ("start_at", "end_at", "jitter_seconds")
_CALENDARS = ("only_on", "not_on", "otherwise")
OTHERWISE = {
    "skip": gettext_lazy("does not run"),
    "next_day": gettext_lazy("runs on the next day that is allowed"),
    "previous_day": gettext_lazy("runs on the day before that is allowed"),
}
_MOST_PICKED = 50
"""Calendars; a trigger names ten at most."""
_TICKS = {"weekdays": WEEKDAYS, "months": MONTHS}
_TEXTS = tuple(
    part
    for part in ("number", "unit", "at", "expression", "run_at", "timezone", *days_parts.OWN, *_LIMITS)
    if part not in _TICKS
)
_LONGEST = 200
_CALENDAR = ("months", "years")
_DAYS_OF_POSITIONS = {**WEEKDAYS, days_parts.WORKDAY: gettext_lazy("working day (Mon–Fri)")}


class Typed(dict[str, Any]):
    """The texts in the parts of the field. Missing parts are absent or empty."""

    def said(self, name: str) -> str:
        return str(self.get(name) or "").strip()

    def relevant(self) -> dict[str, Any]:
        """The parts that count for the kind that was chosen."""
        kind = self.said("kind")
        names = _OWN.get(kind, ("json",))
        if kind != "json":
            names = (*names, "timezone", *_LIMITS, *_CALENDARS)
        return {"kind": kind} | {name: self.get(name) or "" for name in names}


class TriggerWidget(forms.Widget):
    """All parts inside one template, so that hiding some of them depends on no theme."""

    template_name = "scheduler/fields/trigger_widget.html"

    invalid: str | None = None
    """The part that has a problem, empty for the JSON."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """With the project's template engine, which finds the templates of apps whatever FORM_RENDERER is."""
        html = super().render(name, value, attrs, TemplatesSetting())
        if self.invalid is None:
            return html
        # What people typed has its quotes escaped: this is the attribute alone.
        part = f'name="{name}-{self.invalid}"' if self.invalid else f'name="{name}"'
        marked = f'{part} aria-invalid="true" aria-describedby="id_{name}_error"'
        return mark_safe(html.replace(part, marked))  # noqa: S308 - rendered by a template

    def mark(self, error: ValidationError, *, kind: str) -> None:
        """Mark the part that an error is about; of several possible ones, the first of the kind that was chosen."""
        part = getattr(error, "part", "")
        of_kind = _OWN.get(kind, ("json",))
        is_shown = part in (*of_kind, "timezone", *_LIMITS)
        shown = part if is_shown else _FIRST.get(kind, "json")
        self.invalid = "" if shown == "json" else shown

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Typed:
        kind = data.get(f"{name}-kind") or "json"
        typed = Typed(kind=kind, json=data.get(name, ""))
        for part in _TEXTS:
            typed[part] = data.get(f"{name}-{part}", "")
        for part in ("only_on", "not_on"):
            picked = data.getlist(f"{name}-{part}") if hasattr(data, "getlist") else ()
            typed[part] = [each[:_LONGEST] for each in picked[:_MOST_PICKED]]
        typed["otherwise"] = data.get(f"{name}-otherwise", "")
        for part, known in _TICKS.items():
            ticked = data.getlist(f"{name}-{part}") if hasattr(data, "getlist") else ()
            typed[part] = [each for each in known if each in ticked]
        return typed

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in data and f"{name}-kind" not in data

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        typed = value if isinstance(value, Typed) else taken_apart(value)
        zone = typed.said("timezone") or timezone.get_default_timezone_name()
        context["widget"] |= {
            "typed": typed,
            "timezone": zone,
            "kinds": [(kind, text, kind == typed.said("kind")) for kind, text in KINDS.items()],
            "units": [(unit, text, unit == (typed.said("unit") or "hours")) for unit, text in UNITS.items()],
            "choices_of_days": [
                (choice, text, choice == (typed.said("on") or "week"))
                for choice, text in days_parts.CHOICES_OF_DAYS.items()
            ],
            "weeks": _choices_of_weeks(typed.said("weeks") or "1"),
            "positions": [
                (position, text, position == (typed.said("position") or "1"))
                for position, text in days_parts.POSITIONS.items()
            ],
            "days_of_positions": [
                (day, text, day == (typed.said("weekday") or "mon")) for day, text in _DAYS_OF_POSITIONS.items()
            ],
            "weekdays": [(day, text, day in typed.get("weekdays", ())) for day, text in WEEKDAYS.items()],
            "months": [
                (month, NAMES_OF_MONTHS[number], month in typed.get("months", ()))
                for number, month in enumerate(MONTHS, start=1)
            ],
            # What repeats has a start for its phase anyway.
            "has_limits": any(typed.said(limit) for limit in _LIMITS[typed.said("kind") == "every" :]),
            "zones": zones(),
            "calendars": _choices_of_calendars(typed),
            "otherwise": [
                (choice, text, choice == (typed.said("otherwise") or "skip")) for choice, text in OTHERWISE.items()
            ],
            "has_calendars": bool(typed.get("only_on") or typed.get("not_on")),
        }
        return context

    def id_for_label(self, id_: str) -> str:
        return ""

    def use_required_attribute(self, initial: Any) -> bool:
        return False


@cache
def zones() -> list[str]:
    places = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix")))
    return ["UTC", *places]


class TriggerField(forms.Field):
    widget = TriggerWidget

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, Typed | str) or value is None else json.dumps(value, ensure_ascii=False)

    def has_changed(self, initial: Any, data: Any) -> bool:
        if not isinstance(data, Typed):
            return True
        if data.said("kind") == "json":
            try:
                return not triggers.is_same(json.loads(data.said("json")), initial)
            except (ValueError, RecursionError):
                return True
        stored = taken_apart(initial)
        if stored.said("kind") == data.said("kind") != "days":
            return stored.relevant() != data.relevant()
        try:
            # The same trigger may be said in several ways.
            return not triggers.is_same(self.clean(stored), self.clean(data))
        except ValidationError:
            return True

    def clean(self, value: Any) -> Any:
        """Return the trigger as JSON. Whether it can be used is for the rules of triggers to say."""
        typed = value if isinstance(value, Typed) else Typed(kind="json", json=value or "")
        kind = typed.said("kind")
        if kind == "json" or kind not in KINDS:
            return StorableJSONField(required=self.required).clean(typed.said("json"))
        limits = _limits(typed)
        rule = _days(typed, limits) if kind == "days" else _PUT_TOGETHER[kind](typed) | limits
        return rule | _calendars(typed)


def _calendars(typed: Typed) -> dict[str, Any]:
    picked: dict[str, Any] = {name: list(typed[name]) for name in ("only_on", "not_on") if typed.get(name)}
    if picked and typed.said("otherwise") not in ("", "skip"):
        picked["otherwise"] = typed.said("otherwise")
    return picked


def _choices_of_calendars(typed: Typed) -> list[tuple[str, str, bool, bool]]:
    """Return name, title, and whether the trigger fires only on it or not on it: those that it names come first."""
    named = [*typed.get("only_on", ()), *typed.get("not_on", ())]
    known = dict(calendars.all_calendars().values_list("name", "title")[:_MOST_PICKED])
    names = [*named, *(name for name in known if name not in named)]
    return [
        (name, known.get(name, ""), name in typed.get("only_on", ()), name in typed.get("not_on", ()))
        for name in dict.fromkeys(names)
    ]


def _limits(typed: Typed) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    for name in ("timezone", "start_at", "end_at"):
        if text := typed.said(name):
            limits[name] = text[:_LONGEST]
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
        return {"type": "calendar", unit: number, "at": at[:_LONGEST]}
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
    if len(expression) > _LONGEST:
        raise InPart(_("An expression has at most %d characters.") % _LONGEST, part="expression")
    return {"type": "cron", "expression": expression}


def _once(typed: Typed) -> dict[str, Any]:
    if not typed.said("run_at"):
        raise InPart(_("Enter a date and a time."), part="run_at", code="required")
    return {"type": "date", "run_at": typed.said("run_at")[:_LONGEST]}


_PUT_TOGETHER = {"every": _every, "cron": _cron, "once": _once}


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
    rest = {name: value for name, value in trigger.items() if name not in ("type", "timezone", *_LIMITS)}
    parts = _parts(trigger["type"], rest)
    return whole if parts is None else Typed(whole | parts | _limits_apart(trigger))


def _limits_apart(trigger: Mapping[str, Any]) -> dict[str, str]:
    limits = {name: str(trigger[name]) for name in ("timezone", *_LIMITS) if trigger.get(name) not in (None, "")}
    if "jitter_seconds" in limits:
        limits["jitter_seconds"] = durations.say(trigger["jitter_seconds"])
    return limits


def _parts(kind: str, rest: dict[str, Any]) -> dict[str, Any] | None:
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
    limits = {name: value for name, value in trigger.items() if name in ("timezone", *_LIMITS)}
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


def _choices_of_weeks(chosen: str) -> list[tuple[str, str, bool]]:
    texts = {"1": _("every week"), "2": _("every other week"), "3": _("every 3 weeks"), "4": _("every 4 weeks")}
    if chosen not in texts:
        texts[chosen] = _("every %s weeks") % chosen
    return [(number, text, number == chosen) for number, text in texts.items()]


def _jitter(text: str) -> int | float:
    try:
        seconds = durations.seconds(text)
    except durations.NotADuration:
        problem = not_a_duration(text, label=_("Random delay"))
        raise InPart(str(problem.message), part="jitter_seconds") from None
    return int(seconds) if seconds == int(seconds) else seconds
