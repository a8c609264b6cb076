"""The preview of a trigger in the form: its description and next fire times by the engine's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin.fields.trigger_field import TriggerField, TriggerWidget
from scheduler.admin.fields.trigger_parts import Typed, taken_apart
from scheduler.admin.format import display, policy_text
from scheduler.admin.format.languages import told
from scheduler.core import triggers
from scheduler.core.definition import POLICIES
from scheduler.core.states import Overlap
from scheduler.core.tasks.registry import registry
from scheduler.core.triggers import ClockEffect, Trigger
from scheduler.core.triggers.zones import zone_named
from scheduler.errors import InvalidTrigger, UnknownTask
from scheduler.models import Job
from scheduler.services.jobs import validation
from scheduler.services.jobs.validation import TriggerPreview

COUNT = 8
_NOTES = {
    ClockEffect.LEFT_OUT: gettext_lazy("clocks go forward: %(wall)s does not exist, runs at %(at)s"),
    ClockEffect.FIRST_ONLY: gettext_lazy("clocks go back: %(wall)s comes twice, runs the first time only"),
    ClockEffect.FIRST_OF_TWO: gettext_lazy("clocks go back: %(wall)s comes twice, this is the first time"),
    ClockEffect.SECOND_OF_TWO: gettext_lazy("clocks go back: %(wall)s comes twice, this is the second time"),
}


def context(data: Any) -> dict[str, Any]:
    """Return sentence, warning and rows, or the problem, and the rules as text. ``data``: the form data."""
    typed = TriggerWidget().value_from_datadict(data, {}, "trigger")
    return _said(typed, data) | policy_text.of_typed(data)


def before_typing(form: forms.ModelForm[Job]) -> dict[str, Any]:
    """The same for a new form."""
    rules = {name: form[name].value() for name in (*POLICIES, "task", "seen_version") if name in form.fields}
    typed = Typed({"timezone": timezone.get_default_timezone_name()} | taken_apart(form["trigger"].value()))
    return _said(typed, rules) | policy_text.of_typed(rules)


def _said(typed: Typed, rules: Mapping[str, Any]) -> dict[str, Any]:
    try:
        trigger = TriggerField().clean(typed)
    except ValidationError as error:
        return {"problem": " ".join(error.messages)}
    except (InvalidTrigger, TypeError) as error:
        return {"problem": told(error)}
    return of_trigger(trigger=trigger, rules=rules)


def of_trigger(*, trigger: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    """Return sentence, warning and rows of a trigger as JSON, or the problem. ``rules``: task and policies."""
    try:
        found = validation.preview(trigger=trigger, count=COUNT, must_fire=True)
        sentence = told(found.sentence)
        compiled = triggers.parse(found.trigger)
    except (InvalidTrigger, TypeError) as error:
        return {"problem": told(error)}
    return {
        "sentence": f"{sentence[:1].upper()}{sentence[1:]}",
        "zone": compiled.timezone,
        "there": f"{found.now.astimezone(zone_named(compiled.timezone)):%H:%M}",
        "warning": _warning(found, rules),
        "rows": _rows(compiled, found.upcoming, now=found.now),
        "is_last": len(found.fire_times) < COUNT,
    }


def warning(*, trigger: Mapping[str, Any], rules: Mapping[str, Any]) -> str:
    """A warning about valid input that looks like a mistake, or an empty text. ``rules``: task and policies."""
    return _warning(validation.preview(trigger=trigger, count=COUNT), rules)


def _warning(found: TriggerPreview, rules: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (*map(told, found.remarks), _overlapping(found.fire_times, rules))))


def _overlapping(times: Sequence[datetime], rules: Mapping[str, Any]) -> str:
    """Fire times closer together than a run may take, of a job that has one run at a time."""
    timeout = _timeout(rules)
    distance = min((later - earlier for earlier, later in pairwise(times)), default=None)
    if timeout is None or distance is None or distance >= timeout or str(rules.get("max_instances") or 1) != "1":
        return ""
    waits = rules.get("overlap") == Overlap.QUEUE
    text = (
        _("Runs can take longer (%(timeout)s) than the interval (%(distance)s), so some may wait for each other.")
        if waits
        else _("Runs can take longer (%(timeout)s) than the interval (%(distance)s), so some may be skipped.")
    )
    return text % {"distance": display.exactly(distance), "timeout": display.exactly(timeout)}


def _timeout(rules: Mapping[str, Any]) -> timedelta | None:
    try:
        if rules.get("timeout"):
            return timedelta(seconds=float(rules["timeout"]))
        return registry.get(str(rules.get("task") or "")).timeout
    except (ValueError, OverflowError, UnknownTask):
        return None


def _rows(trigger: Trigger, coming: Sequence[triggers.Upcoming], *, now: datetime) -> list[dict[str, str]]:
    zone = zone_named(trigger.timezone)
    rows = []
    before = now.astimezone(zone)
    for each in coming:
        local = (at := each.at).astimezone(zone)
        rows.append(
            {
                "local": _shown(local),
                "left_out": _left_out(each, zone),
                "offset": display.offset(local),
                "distance": display.distance(at, now=now),
                "mine": display.on_the_pages_clock(at, zone=zone),
                "note": _note(trigger, local, before=before),
            }
        )
        before = local
    return rows


def _shown(local: datetime) -> str:
    seconds = f":{local:%S}" if local.second else ""
    return f"{display.day(local, 'D j M Y')} {local:%H:%M}{seconds}"


def _left_out(coming: triggers.Upcoming, zone: tzinfo) -> str:
    """Explain why a fire time does not run, and what happens instead; empty: it runs."""
    if coming.left_out is None:
        return ""
    said = told(coming.left_out)
    if coming.moved_to is not None:
        return _("%(reason)s; runs on %(at)s") % {"reason": said, "at": _shown(coming.moved_to.astimezone(zone))}
    if coming.until is not None:
        return _("%(reason)s; so are all until %(at)s") % {"reason": said, "at": _shown(coming.until.astimezone(zone))}
    return said


def _note(trigger: Trigger, local: datetime, *, before: datetime) -> str:
    change = triggers.clock_change(trigger, fire_time=local)
    if change is not None:
        return str(_NOTES[change.effect]) % {"wall": change.wall, "at": f"{local:%H:%M}"}
    return _("clocks have changed: %s") % display.offset(local) if local.utcoffset() != before.utcoffset() else ""
