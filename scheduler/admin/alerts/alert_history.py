"""The history of a rule or a channel as rows: who did what, and the fields that an edit changed."""

from __future__ import annotations

from typing import Any

from django.utils.text import capfirst

from scheduler.admin.format import display
from scheduler.models import Channel, Rule
from scheduler.services.alerts import changes

_MOST = 20
_OF_CHANNELS = ("channels", "escalation_channels")


def rows(about: Rule | Channel) -> list[dict[str, Any]]:
    """Return the newest changes, with labels and names instead of columns and ids."""
    names = dict(Channel.objects.values_list("pk", "name"))
    labels = {field.name: capfirst(str(field.verbose_name)) for field in about._meta.fields + about._meta.many_to_many}
    return [
        {
            "change": change,
            "fields": [
                {"label": labels.get(name, name), "old": _shown(name, old, names), "new": _shown(name, new, names)}
                for name, (old, new) in change.changes.items()
                if change.action == "edited"
            ],
        }
        for change in changes.of(about=about, limit=_MOST)
    ]


def _shown(name: str, value: Any, channels: dict[int, str]) -> str:
    if name in _OF_CHANNELS:
        return display.first_line(", ".join(channels.get(pk, f"#{pk}") for pk in value or ())) or "–"
    return "–" if value in (None, "", [], {}) else display.first_line(str(value))
