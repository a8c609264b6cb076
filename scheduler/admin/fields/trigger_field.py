"""One field for when a job fires: every so often, on days at times, by cron, once, or any trigger as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import TemplatesSetting
from django.utils import timezone
from django.utils.dates import MONTHS as NAMES_OF_MONTHS
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin.fields.json_field import StorableJSONField
from scheduler.core import triggers

KINDS = {
    "every": gettext_lazy("Every …"),
    "days": gettext_lazy("On days at"),
    "cron": gettext_lazy("Cron"),
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
WEEKDAYS = {
    "mon": gettext_lazy("Mon"),
    "tue": gettext_lazy("Tue"),
    "wed": gettext_lazy("Wed"),
    "thu": gettext_lazy("Thu"),
    "fri": gettext_lazy("Fri"),
    "sat": gettext_lazy("Sat"),
    "sun": gettext_lazy("Sun"),
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
"""The names in cron. Django translates them."""

_OWN = {
    "every": ("number", "unit", "at"),
    "days": ("weekdays", "months", "times"),
    "cron": ("expression",),
    "once": ("run_at",),
    "json": ("json",),
}
_LIMITS = ("start_at", "end_at", "jitter_seconds")
_LONGEST = 200
_TIME = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)$")
_CALENDAR = ("months", "years")


class Typed(dict[str, Any]):
    """The texts in the parts of the field. Missing parts are absent or empty."""

    def said(self, name: str) -> str:
        return str(self.get(name) or "").strip()

    def relevant(self) -> dict[str, Any]:
        """The parts that count for the kind that was chosen."""
        kind = self.said("kind")
        names = _OWN.get(kind, ("json",))
        if kind != "json":
            names = (*names, "timezone", *_LIMITS)
        return {"kind": kind} | {name: self.get(name) or "" for name in names}


class TriggerWidget(forms.Widget):
    """All parts inside one template, so that hiding some of them depends on no theme."""

    template_name = "scheduler/fields/trigger_widget.html"

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """With the project's template engine, which finds the templates of apps whatever FORM_RENDERER is."""
        return super().render(name, value, attrs, TemplatesSetting())

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Typed:
        kind = data.get(f"{name}-kind") or "json"
        typed = Typed(kind=kind, json=data.get(name, ""))
        for part in ("number", "unit", "at", "times", "expression", "run_at", "timezone", *_LIMITS):
            typed[part] = data.get(f"{name}-{part}", "")
        for part, known in (("weekdays", WEEKDAYS), ("months", MONTHS)):
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
            "weekdays": [(day, text, day in typed.get("weekdays", ())) for day, text in WEEKDAYS.items()],
            "months": [
                (month, NAMES_OF_MONTHS[number], month in typed.get("months", ()))
                for number, month in enumerate(MONTHS, start=1)
            ],
            # What repeats has a start for its phase anyway.
            "has_limits": any(typed.said(limit) for limit in _LIMITS[typed.said("kind") == "every" :]),
            "zones": zones(),
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
        if stored.said("kind") == data.said("kind"):
            return stored.relevant() != data.relevant()
        try:
            # The same cron may be said in two ways.
            return bool(self.clean(stored) != self.clean(data))
        except ValidationError:
            return True

    def clean(self, value: Any) -> Any:
        """Return the trigger as JSON. Whether it can be used is for the rules of triggers to say."""
        typed = value if isinstance(value, Typed) else Typed(kind="json", json=value or "")
        kind = typed.said("kind")
        if kind == "json" or kind not in KINDS:
            return StorableJSONField(required=self.required).clean(typed.said("json"))
        trigger = _PUT_TOGETHER[kind](typed)
        if zone := typed.said("timezone"):
            trigger["timezone"] = zone[:_LONGEST]
        for limit in ("start_at", "end_at"):
            if text := typed.said(limit):
                trigger[limit] = text[:_LONGEST]
        if text := typed.said("jitter_seconds"):
            trigger["jitter_seconds"] = _number(text, _("Jitter"))
        return trigger


def _every(typed: Typed) -> dict[str, Any]:
    number, unit, at = _number(typed.said("number"), _("How many")), typed.said("unit"), typed.said("at")
    if unit not in UNITS:
        raise ValidationError(_("Choose a unit."), code="required")
    if unit in _CALENDAR and not at:
        raise ValidationError(_("Every %s: enter a time of day, such as 02:30.") % UNITS[unit], code="required")
    if at and unit in (*_CALENDAR, "days", "weeks"):
        return {"type": "calendar", unit: number, "at": at[:_LONGEST]}
    return {"type": "interval", unit: number}


def _days(typed: Typed) -> dict[str, Any]:
    hours: set[int] = set()
    minutes: set[int] = set()
    for text in re.split(r"[\s,;]+", typed.said("times")[:_LONGEST]):
        if not text:
            continue
        if not (found := _TIME.match(text)):
            raise ValidationError(_("“%s” is not a time of day. Write it as 14:30.") % text, code="invalid")
        hours.add(int(found[1]))
        minutes.add(int(found[2]))
    if not hours:
        raise ValidationError(_("Enter a time of day such as 14:30, or several: 08:30, 14:30."), code="required")
    if len(minutes) > 1:
        raise ValidationError(
            _("Times with different minutes do not fit into one cron expression. Create two jobs."),
            code="invalid",
        )
    days, months = (_ticked(typed, part, known) for part, known in (("weekdays", WEEKDAYS), ("months", MONTHS)))
    return {"type": "cron", "expression": f"{minutes.pop()} {','.join(map(str, sorted(hours)))} * {months} {days}"}


def _ticked(typed: Typed, part: str, known: Collection[str]) -> str:
    """A field of a cron expression. Ticking none or all means every value."""
    chosen = typed.get(part) or []
    return ",".join(chosen) if 0 < len(chosen) < len(known) else "*"


def _cron(typed: Typed) -> dict[str, Any]:
    expression = typed.said("expression")
    if not expression:
        raise ValidationError(_("Enter a cron expression, such as 0 3 * * *."), code="required")
    if len(expression) > _LONGEST:
        raise ValidationError(_("An expression has at most %d characters.") % _LONGEST, code="invalid")
    return {"type": "cron", "expression": expression}


def _once(typed: Typed) -> dict[str, Any]:
    if not typed.said("run_at"):
        raise ValidationError(_("Enter a date and a time."), code="required")
    return {"type": "date", "run_at": typed.said("run_at")[:_LONGEST]}


_PUT_TOGETHER = {"every": _every, "days": _days, "cron": _cron, "once": _once}


def _number(text: str, name: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise ValidationError(
            _("%(name)s: “%(text)s” is not a number.") % {"name": name, "text": text[:40]}, code="invalid"
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
    if not isinstance(trigger, Mapping) or not isinstance(trigger.get("type"), str):
        return whole
    rest = {name: value for name, value in trigger.items() if name not in ("type", "timezone", *_LIMITS)}
    parts = _parts(trigger["type"], rest)
    if parts is None:
        return whole
    limits = {name: str(trigger[name]) for name in ("timezone", *_LIMITS) if trigger.get(name) not in (None, "")}
    return Typed(whole | parts | limits)


def _parts(kind: str, rest: dict[str, Any]) -> dict[str, Any] | None:
    if kind == "interval" and len(rest) == 1 and set(rest) <= set(UNITS):
        unit, number = next(iter(rest.items()))
        return {"kind": "every", "number": str(number), "unit": unit}
    if kind == "calendar" and len(rest) == 2 and "at" in rest:
        unit, number = next((name, value) for name, value in rest.items() if name != "at")
        return {"kind": "every", "number": str(number), "unit": unit, "at": str(rest["at"])}
    if kind == "cron" and set(rest) == {"expression"}:
        expression = str(rest["expression"])
        return {"kind": "cron", "expression": expression} | (_days_apart(expression) or {})
    if kind == "date" and set(rest) == {"run_at"}:
        return {"kind": "once", "run_at": str(rest["run_at"])}
    return None


def _days_apart(expression: str) -> dict[str, Any] | None:
    """An expression as days and times of day, if that is all it says: then they make the very same one again."""
    fields = expression.split(" ")
    if len(fields) != 5:
        return None
    minute, hours, _day, months, weekdays = fields
    typed = Typed(
        kind="days",
        times=", ".join(f"{hour:0>2}:{minute:0>2}" for hour in hours.split(",")),
        weekdays=[day for day in WEEKDAYS if day in weekdays.split(",")],
        months=[month for month in MONTHS if month in months.split(",")],
    )
    try:
        return typed if _days(typed)["expression"] == expression else None
    except ValidationError:
        return None
