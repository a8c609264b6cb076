"""Calendars as triggers get them: by name from the table, by digest from the versions, which never change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from scheduler.core.triggers.calendars import contents
from scheduler.core.triggers.calendars.contents import Content
from scheduler.models import Calendar, CalendarVersion
from scheduler.store import database

_MOST_NAMES = 500
"""Names that a hint is chosen from."""


class StoredCalendars:
    """The calendars of the database, read with this thread's connection of Django's."""

    def digests(self, names: Collection[str]) -> Mapping[str, str]:
        with database.borrowed():
            return dict(Calendar.objects.filter(name__in=list(names)).order_by().values_list("name", "digest"))

    def names(self) -> Sequence[str]:
        with database.borrowed():
            return list(Calendar.objects.order_by("name").values_list("name", flat=True)[:_MOST_NAMES])

    def content(self, digest: str) -> Content | None:
        with database.borrowed():
            found = (
                CalendarVersion.objects.filter(digest=digest).order_by("id").values_list("content", flat=True).first()
            )
        return None if found is None else Content.from_json(found)


def use() -> None:
    """Let triggers get their calendars from the database."""
    contents.use_source(StoredCalendars())


def windows() -> list[Calendar]:
    """Return the calendars that are maintenance windows."""
    return list(Calendar.objects.exclude(tags=[]).order_by("name"))


def with_windows(trigger: Any, *, tags: Sequence[str], among: Sequence[Calendar]) -> Any:
    """Return a trigger with the maintenance windows of a job with these tags, and no others."""
    if not isinstance(trigger, Mapping):
        return trigger
    own = {window.name: [window.digest, window.during] for window in among if set(window.tags) & set(tags)}
    if not own and "windows" not in trigger:
        return trigger
    rest = {key: value for key, value in trigger.items() if key != "windows"}
    return {**rest, "windows": own} if own else rest
