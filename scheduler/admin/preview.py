"""What a trigger that somebody types would do: in words, and its next fire times by the engine's own rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from scheduler.admin import words
from scheduler.admin.trigger_field import TriggerField, TriggerWidget
from scheduler.core import triggers
from scheduler.core.triggers.zones import zone_named
from scheduler.errors import InvalidTrigger
from scheduler.store.clock import database_now

COUNT = 8


def context(data: Any) -> dict[str, Any]:
    """Return sentence and rows, or what is wrong."""
    field = TriggerField()
    try:
        trigger = field.clean(TriggerWidget().value_from_datadict(data, {}, "trigger"))
        now = database_now()
        normalized = triggers.normalize(trigger, now=now)
        triggers.check_future(normalized, now=now)
        sentence = triggers.describe(normalized)
        times = triggers.next_fire_times(normalized, after=now, count=COUNT)
        zone = zone_named(triggers.parse(normalized).timezone)
    except ValidationError as error:
        return {"problem": " ".join(error.messages)}
    except (InvalidTrigger, TypeError) as error:
        return {"problem": str(error)}
    rows = []
    before = now.astimezone(zone)
    for at in times:
        local = at.astimezone(zone)
        rows.append(_row(local, before=before, now=now))
        before = local
    return {"sentence": f"{sentence[:1].upper()}{sentence[1:]}", "rows": rows, "is_last": len(times) < COUNT}


def _row(local: datetime, *, before: datetime, now: datetime) -> dict[str, str]:
    mine = timezone.localtime(local)
    is_same = mine.utcoffset() == local.utcoffset()
    offset = f"{local:%z}"
    note = ""
    if local.utcoffset() != before.utcoffset():
        note = _("clocks have changed: UTC%s") % f"{offset[:3]}:{offset[3:5]}"
    seconds = f":{local:%S}" if local.second else ""
    return {
        "local": f"{date_format(local, 'D j M Y')} {local:%H:%M}{seconds} (UTC{offset[:3]}:{offset[3:5]})",
        "distance": words.distance(local, now=now),
        "mine": "" if is_same else f"{mine:%H:%M} {timezone.get_current_timezone_name()}",
        "note": note,
    }
