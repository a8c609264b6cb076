"""Calendars in memory, for tests without a database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from scheduler.core.triggers.calendars import contents
from scheduler.core.triggers.calendars.contents import Content


class Calendars:
    """A source of calendars that a test fills."""

    def __init__(self) -> None:
        self.named: dict[str, Content] = {}
        self._by_digest: dict[str, Content] = {}

    def set(self, name: str, *rules: str, timezone: str = "", holidays: tuple[tuple[str, str], ...] = ()) -> str:
        content = Content(rules=rules, holidays=holidays, timezone=timezone)
        self.named[name] = content
        self._by_digest[content.digest] = content
        return content.digest

    def digests(self, names: Collection[str]) -> Mapping[str, str]:
        return {name: self.named[name].digest for name in names if name in self.named}

    def names(self) -> Sequence[str]:
        return sorted(self.named)

    def content(self, digest: str) -> Content | None:
        return self._by_digest.get(digest)


@contextmanager
def in_memory() -> Iterator[Calendars]:
    """Let triggers get their calendars from a source of their own."""
    before = contents._known.source
    calendars = Calendars()
    contents.use_source(calendars)
    try:
        yield calendars
    finally:
        contents.use_source(before)
