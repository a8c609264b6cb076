"""One field for when a job fires: every so often, on days at times, by cron, once, or any trigger as JSON."""

from __future__ import annotations

import json
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
from scheduler.admin.fields.days_parts import MONTHS, WEEKDAYS
from scheduler.admin.fields.json_field import StorableJSONField
from scheduler.admin.fields.trigger_parts import (
    DAYS_OF_POSITIONS,
    KINDS,
    LIMITS,
    LONGEST,
    OWN_PARTS,
    UNITS,
    Typed,
    put_together,
    taken_apart,
)
from scheduler.core import triggers
from scheduler.services import calendars

_FIRST = {"every": "number", "days": "times", "cron": "expression", "once": "run_at"}
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
    for part in ("number", "unit", "at", "expression", "run_at", "timezone", *days_parts.OWN, *LIMITS)
    if part not in _TICKS
)


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
        of_kind = OWN_PARTS.get(kind, ("json",))
        is_shown = part in (*of_kind, "timezone", *LIMITS)
        shown = part if is_shown else _FIRST.get(kind, "json")
        self.invalid = "" if shown == "json" else shown

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Typed:
        kind = data.get(f"{name}-kind") or "json"
        typed = Typed(kind=kind, json=data.get(name, ""))
        for part in _TEXTS:
            typed[part] = data.get(f"{name}-{part}", "")
        for part in ("only_on", "not_on"):
            picked = data.getlist(f"{name}-{part}") if hasattr(data, "getlist") else ()
            typed[part] = [each[:LONGEST] for each in picked[:_MOST_PICKED]]
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
                (day, text, day == (typed.said("weekday") or "mon")) for day, text in DAYS_OF_POSITIONS.items()
            ],
            "weekdays": [(day, text, day in typed.get("weekdays", ())) for day, text in WEEKDAYS.items()],
            "months": [
                (month, NAMES_OF_MONTHS[number], month in typed.get("months", ()))
                for number, month in enumerate(MONTHS, start=1)
            ],
            # What repeats has a start for its phase anyway.
            "has_limits": any(typed.said(limit) for limit in LIMITS[typed.said("kind") == "every" :]),
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
        """Return the trigger as JSON. The rules of triggers say whether it can be used."""
        typed = value if isinstance(value, Typed) else Typed(kind="json", json=value or "")
        kind = typed.said("kind")
        if kind == "json" or kind not in KINDS:
            return StorableJSONField(required=self.required).clean(typed.said("json"))
        return put_together(typed)


def _choices_of_calendars(typed: Typed) -> list[tuple[str, str, bool, bool]]:
    """Return name, title, and whether the trigger fires only on it or not on it: those that it names come first."""
    named = [*typed.get("only_on", ()), *typed.get("not_on", ())]
    known = dict(calendars.all_calendars().values_list("name", "title")[:_MOST_PICKED])
    names = [*named, *(name for name in known if name not in named)]
    return [
        (name, known.get(name, ""), name in typed.get("only_on", ()), name in typed.get("not_on", ()))
        for name in dict.fromkeys(names)
    ]


def _choices_of_weeks(chosen: str) -> list[tuple[str, str, bool]]:
    texts = {"1": _("every week"), "2": _("every other week"), "3": _("every 3 weeks"), "4": _("every 4 weeks")}
    if chosen not in texts:
        texts[chosen] = _("every %s weeks") % chosen
    return [(number, text, number == chosen) for number, text in texts.items()]
