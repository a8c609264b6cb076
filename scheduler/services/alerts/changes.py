"""The history of rules and channels: one row for each change, written in its transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.core.states import Via
from scheduler.models import AlertChange, Channel, Rule
from scheduler.services import masking


def note(
    *,
    about: Rule | Channel,
    action: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    actor: str,
    via: Via | str,
) -> None:
    """Write what differs, with secrets masked. An edit without a change is not recorded."""
    changes = {
        name: [masking.masked(before.get(name)), masking.masked(after.get(name))]
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }
    if action == "edited" and not changes:
        return
    AlertChange.objects.create(
        about="rule" if isinstance(about, Rule) else "channel",
        key=about.pk,
        name=about.name,
        action=action,
        actor=actor[:150],
        via=Via(via).value,
        changes=changes,
    )


def of(*, about: Rule | Channel, limit: int = 50) -> list[AlertChange]:
    """Return the newest changes of a rule or a channel."""
    word = "rule" if isinstance(about, Rule) else "channel"
    return list(AlertChange.objects.filter(about=word, key=about.pk)[:limit])
