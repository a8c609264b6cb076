"""The outcome of a scrape, and the tally that is kept while it goes on."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import datetime
from typing import Any

from openlearn.scraping import sentences

_PROBLEMS = 10
_PROBLEMS_OF_A_KIND = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeSummary:
    """
    The counts of a scrape. The first five count items: entries of a feed, pages of a sitemap, records, or the page.

    A page of a feed's entry that cannot be fetched counts as failed beside its entry, which is stored all the same.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    skipped: int = 0
    """Broken or repeated addresses, documents of other sources, pages closed to programs, content without text."""

    failed: int = 0
    deleted: int = 0
    """Records that their repository declared deleted."""

    pages: int = 0
    """Pages whose body is new and was stored. Another task extracts their text."""

    pages_left: int = 0
    """Pages that the next scrapes continue with, those behind a back-off included."""

    listings_left: int = 0
    """Sitemaps under the index, or further pages of the feed, that the next scrapes continue with."""

    failing: int = 0
    """Pages of the source that could not be fetched when they were requested last, by this scrape or an earlier one."""

    not_modified: bool = False
    """Whether the source itself reports no change."""

    retry_not_before: datetime | None = None
    """Requested by the server."""

    rest_until: datetime | None = None
    """The source is not scraped before this: it asks for it, or seldom changes."""

    problems: tuple[str, ...] = ()
    """Sentences, the first few."""

    def as_dict(self) -> dict[str, object]:
        """As JSON can hold it."""
        facts: dict[str, Any] = dataclasses.asdict(self) | {"problems": [str(problem) for problem in self.problems]}
        for name in ("retry_not_before", "rest_until"):
            facts[name] = facts[name].isoformat() if facts[name] is not None else None
        return facts


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scraped:
    """A finished scrape: its summary, and what the next one begins with."""

    summary: ScrapeSummary
    etag: str
    last_modified: str
    cursor: dict[str, Any]
    moved_to: str
    pages_known: int
    wishes: Wishes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The pace at which the source wants to be read, as far as it gives one."""

    fresh_seconds: int = 0
    skipped_hours: tuple[int, ...] = ()
    skipped_days: tuple[int, ...] = ()


class Tally:
    """Counts and problems of a scrape that goes on."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._problems: list[str] = []
        self._kinds: Counter[str] = Counter()

    def count(self, name: str, number: int = 1) -> None:
        self.counts[name] += number

    def note(self, problem: str) -> None:
        """Keep a sentence, unless there are enough already, in all or of its kind."""
        kind = str(sentences.as_data(problem)["message"])
        self._kinds[kind] += 1
        is_new = problem not in self._problems
        if is_new and len(self._problems) < _PROBLEMS and self._kinds[kind] <= _PROBLEMS_OF_A_KIND:
            self._problems.append(problem)

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(self._problems)
