"""One scrape of one source, from its address to counts."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from django.db import DataError, IntegrityError

from openlearn.scraping import conf, extraction, feed_process, feeds, pages, sitemaps
from openlearn.scraping.documents import Outcome
from openlearn.scraping.errors import (
    AskedToWait,
    ForbiddenByRobots,
    OutOfTime,
    PageGone,
    PageNotFound,
    ScrapingError,
    WrongContentType,
)
from openlearn.scraping.fetching import Fetched, Fetcher
from openlearn.scraping.models import Page, Source
from scheduler.errors import DestinationRefused, RequestFailed

_PROBLEMS = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeSummary:
    """
    What a scrape did. The first five count items: entries of a feed, pages of a sitemap, or the page itself.

    A page of a feed's entry that cannot be fetched counts as failed beside its entry, which is stored all the same.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    skipped: int = 0
    """Broken or repeated addresses, documents of other sources, pages closed to programs, what is no text."""

    failed: int = 0
    pages: int = 0
    """Pages whose body is new and was stored; their text is taken out by another task."""

    pages_left: int = 0
    """Pages that the next scrape goes on with."""

    not_modified: bool = False
    """The source itself says that nothing changed."""

    retry_not_before: datetime | None = None
    """The server asked to be left alone until then."""

    problems: tuple[str, ...] = ()
    """Sentences, the first few."""

    def as_dict(self) -> dict[str, object]:
        """As JSON can hold it."""
        facts = dataclasses.asdict(self) | {"problems": list(self.problems)}
        facts["retry_not_before"] = self.retry_not_before.isoformat() if self.retry_not_before is not None else None
        return facts


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scraped:
    """A finished scrape: its summary, and what makes the next request for the source conditional."""

    summary: ScrapeSummary
    etag: str
    last_modified: str


class Scrape:
    """The state of one scrape while it goes on."""

    def __init__(self, *, source: Source, fetcher: Fetcher, now: Callable[[], datetime]) -> None:
        self._source = source
        self._fetcher = fetcher
        self._now = now
        self._counts: Counter[str] = Counter()
        self._problems: list[str] = []
        self._not_modified = False
        self._complete = True
        self._retry_not_before: datetime | None = None

    def run(self) -> Scraped:
        """
        Fetch the source and its pages, and store what changed.

        :raises ScrapingError: for the source itself; for its items errors are counted
        :raises RequestFailed: likewise
        """
        steps = {
            Source.Kind.FEED: self._scrape_feed,
            Source.Kind.SITEMAP: self._scrape_sitemap,
            Source.Kind.PAGE: self._scrape_page,
        }
        fetched = steps[Source.Kind(self._source.kind)]()
        summary = ScrapeSummary(
            **self._counts,
            not_modified=self._not_modified,
            retry_not_before=self._retry_not_before,
            problems=tuple(self._problems),
        )
        if fetched.not_modified:
            return Scraped(summary=summary, etag=self._source.etag, last_modified=self._source.last_modified)
        if not self._complete:
            # Some of what it lists is missing: ask for all of it again.
            return Scraped(summary=summary, etag="", last_modified="")
        return Scraped(summary=summary, etag=fetched.etag, last_modified=fetched.last_modified)

    def _scrape_feed(self) -> Fetched:
        fetched = self._fetch_source()
        if not fetched.not_modified:
            feed = feed_process.parse(
                content=fetched.content,
                url=fetched.url,
                content_type=fetched.content_type,
                seconds=conf.get().feed_seconds,
            )
            self._counts["skipped"] += feed.skipped
            if feed.problem:
                self._note(f"{fetched.url} is not well-formed ({feed.problem}); what could be read of it was.")
            markers = pages.known_markers(source=self._source, urls=[entry.url for entry in feed.entries])
            for entry in feed.entries:
                if markers.get(entry.url) == entry.marker:
                    self._counts["unchanged"] += 1
                else:
                    self._store_entry(entry)
        self._fetch_pages(count_items=False)
        return fetched

    def _store_entry(self, entry: feeds.Entry) -> None:
        try:
            outcome = pages.store_entry(source=self._source, entry=entry, now=self._now())
        except (DataError, IntegrityError, ValueError) as error:
            # The database refuses this one; the others are not to suffer. It is tried again with the next scrape.
            self._counts["failed"] += 1
            self._complete = False
            self._note(f"{entry.url} could not be stored: {error}")
            return
        self._counts["skipped" if outcome is Outcome.FOREIGN else outcome.value] += 1

    def _scrape_sitemap(self) -> Fetched:
        fetched = self._fetch_source()
        if not fetched.not_modified:
            first = sitemaps.parse(content=fetched.content, url=fetched.url)
            walk = sitemaps.walk(
                first=first,
                url=fetched.url,
                fetch=lambda url: self._fetcher.fetch(url=url, kind="sitemap").content,
            )
            # An index may stay as it is while what it names changes.
            self._complete = not first.sitemaps
            self._counts["skipped"] += walk.skipped
            self._counts["failed"] += len(walk.problems)
            for problem in walk.problems:
                self._note(problem)
            self._counts["skipped"] += pages.sync_locations(source=self._source, locations=walk.locations)
        at_rest = pages.at_rest(source=self._source)
        asked_again = self._fetch_pages(count_items=True)
        self._counts["unchanged"] += at_rest - asked_again
        return fetched

    def _scrape_page(self) -> Fetched:
        page, _ = Page.objects.get_or_create(source=self._source, url=self._source.url, defaults={"is_due": True})
        fetched = self._fetcher.fetch(
            url=self._source.url, kind="page", etag=page.etag, last_modified=page.last_modified
        )
        self._not_modified = fetched.not_modified
        self._store_page(page, fetched, count_items=True)
        return fetched

    def _fetch_source(self) -> Fetched:
        source = self._source
        fetched = self._fetcher.fetch(
            url=source.url, kind=source.kind, etag=source.etag, last_modified=source.last_modified
        )
        self._not_modified = fetched.not_modified
        return fetched

    def _fetch_pages(self, *, count_items: bool) -> int:
        """
        Fetch what is due and, if the pages are the items, what may have changed unnoticed.

        Returns how many of the latter there were; those that were not reached are counted as skipped.
        """
        chosen = pages.to_fetch(source=self._source, recheck=count_items)
        reached = 0
        for page in chosen:
            if not self._fetch_page(page, count_items=count_items):
                break
            reached += 1
        self._counts["skipped"] += sum(not page.is_due for page in chosen[reached:])
        self._counts["pages_left"] = Page.objects.filter(source=self._source, is_due=True).count()
        return sum(not page.is_due for page in chosen)

    def _fetch_page(self, page: Page, *, count_items: bool) -> bool:
        """Fetch one page. ``False``: no further one is to be asked for in this scrape."""
        try:
            fetched = self._fetcher.fetch(url=page.url, kind="page", etag=page.etag, last_modified=page.last_modified)
            self._store_page(page, fetched, count_items=count_items)
        except OutOfTime as error:
            self._note(str(error))
            return False
        except AskedToWait as error:
            self._retry_not_before = error.until_at
            self._note(str(error))
            return False
        except (ForbiddenByRobots, WrongContentType) as error:
            self._give_up(page, error, count="skipped", final=True)
        except (DestinationRefused, PageGone, PageNotFound) as error:
            self._give_up(page, error, count="failed", final=True)
        except (ScrapingError, RequestFailed, DataError, ValueError) as error:
            self._give_up(page, error, count="failed", final=False)
        return True

    def _store_page(self, page: Page, fetched: Fetched, *, count_items: bool) -> None:
        if not fetched.not_modified:
            extraction.check_type(url=fetched.url, media_type=fetched.media_type, content=fetched.content)
        outcome = pages.store_body(page=page, fetched=fetched, now=self._now())
        if count_items:
            self._counts[outcome.value] += 1
        if outcome is not Outcome.UNCHANGED:
            self._counts["pages"] += 1

    def _give_up(self, page: Page, error: Exception, *, count: str, final: bool) -> None:
        pages.record_failure(page=page, error=error, final=final)
        self._counts[count] += 1
        self._note(str(error))

    def _note(self, problem: str) -> None:
        if len(self._problems) < _PROBLEMS:
            self._problems.append(problem[:500])
