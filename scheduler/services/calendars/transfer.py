"""Calendars as a document: for exports, and for files that declare them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scheduler.core import error_messages
from scheduler.core.states import Via
from scheduler.errors import InvalidCalendar
from scheduler.models import Calendar, Job
from scheduler.services import calendars, transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The effects of a document, by name."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()


def export(*, names: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Return calendars as a person writes them, by name; ``None``: all."""
    rows = calendars.all_calendars()
    if names is not None:
        rows = rows.filter(name__in=list(names))
    return [calendars.written(calendar=calendar) for calendar in rows]


def of_jobs(*, jobs: Iterable[Job]) -> list[dict[str, Any]]:
    """Return the calendars that the triggers of jobs name."""
    return export(names={name for job in jobs for name in named_by(trigger=job.trigger)})


def named_by(*, trigger: Any) -> set[str]:
    """Return the names of the calendars of a trigger."""
    if not isinstance(trigger, Mapping):
        return set()
    listed = [trigger.get(key) or () for key in ("only_on", "not_on")]
    return {name for names in listed for name in ([names] if isinstance(names, str) else names)}


def load(
    *, document: Any, actor: str = "", via: Via | str = Via.CODE, update: bool = True, dry_run: bool = False
) -> Loaded:
    """
    Create the calendars of a document, and change those that are others. All or nothing.

    ``update``: false leaves calendars that exist as they are. Calendars that are not in the document stay.

    :raises InvalidCalendar: naming the value. No change was made
    """
    if not isinstance(document, list) or not all(isinstance(each, Mapping) for each in document):
        raise InvalidCalendar(error_messages.CALENDARS_ARE_OBJECTS(), field="calendars")
    done: dict[str, list[str]] = {"created": [], "updated": [], "unchanged": []}
    with transactions.atomic():
        for given in document:
            name = given.get("name")
            stored = Calendar.objects.filter(name=name).first() if isinstance(name, str) else None
            if stored is None:
                calendars.create(**{"name": "", **given}, actor=actor, via=via)
                done["created"].append(str(name))
                continue
            after = calendars.update(calendar=stored, actor=actor, via=via, **given) if update else stored
            done["updated" if after.version != stored.version else "unchanged"].append(stored.name)
        if dry_run:
            transactions.undo()
    return Loaded(**{what: tuple(names) for what, names in done.items()})
