"""The data that the parts of one scrape share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from openlearn.scraping import addresses, conf
from openlearn.scraping.errors import AskedToWait, OutOfTime, ScrapingError
from openlearn.scraping.fetching.fetcher import Fetched, Fetcher
from openlearn.scraping.models import Listing, Source
from openlearn.scraping.scrapes.summary import Tally, Wishes
from openlearn.scraping.storing import listings
from scheduler.errors import RequestFailed
from scheduler.messages import phrase

_MOST_HOSTS = 10
"""Most other hosts whose robots.txt is asked whether the sitemap may speak for them, in one scrape."""


class Context:
    """The state of one scrape while it goes on."""

    def __init__(self, *, source: Source, fetcher: Fetcher, now: Callable[[], datetime]) -> None:
        self.source = source
        self.fetcher = fetcher
        self.now = now
        self.settings = conf.get()
        self.tally = Tally()
        self.cursor: dict[str, Any] = dict(source.cursor)
        """Where the next scrape continues."""

        self.is_complete = True
        """All that the source lists was taken: the next request may be conditional."""

        self.not_modified = False
        self.retry_not_before: datetime | None = None
        self.moved_to = source.moved_to
        self.wishes = Wishes()
        self._speaks_for: dict[str, bool] = {}

    def fetch_source(self, *, to_file: bool = False) -> Fetched:
        """
        Request the source itself, conditionally.

        :raises ScrapingError, RequestFailed:
        """
        source = self.source
        fetch = self.fetcher.fetch_to_file if to_file else self.fetcher.fetch
        fetched = fetch(url=source.url, kind=source.kind, etag=source.etag, last_modified=source.last_modified)
        self.take_note_of(fetched)
        return fetched

    def take_note_of(self, fetched: Fetched) -> None:
        """Remember what the source's own answer says about it."""
        self.not_modified = fetched.not_modified
        self.wishes = Wishes(fresh_seconds=fetched.max_age_seconds)
        moved = fetched.moved_to if fetched.moved_to != self.source.url else ""
        self.moved_to = moved if addresses.is_short_enough(moved) else ""
        if self.moved_to:
            self.tally.note(
                phrase(
                    "{url} moved permanently to {target}. Take the new address over on the page of the source.",
                    url=self.source.url,
                    target=self.moved_to,
                )
            )

    def goes_on_after(self, error: ScrapingError | RequestFailed, *, listing: Listing) -> bool:
        """Record that a listing could not be read. Return whether another one may be requested in this scrape."""
        if isinstance(error, OutOfTime):
            self.tally.note(error.message)
            return False
        listings.record_failure(listing=listing, error=error, now=self.now())
        self.tally.count("failed")
        self.tally.note(getattr(error, "message", "") or str(error))
        if isinstance(error, AskedToWait):
            self.retry_not_before = error.until_at
        return not isinstance(error, AskedToWait)

    @property
    def may_list_further(self) -> bool:
        """Half of the time is for listing items, the rest for their pages."""
        return self.retry_not_before is None and self.fetcher.seconds_left > self.settings.run_seconds / 2

    def accepts(self, url: str, *, listed_by: str) -> bool:
        """
        Return whether a sitemap may name this page: one on its own host, ``www.`` or not, or of one naming the sitemap.

        The standard lets a host name a sitemap elsewhere in its robots.txt. Other hosts may not speak for it.
        """
        if addresses.same_site(url, self.source.url) or addresses.same_site(url, listed_by):
            return True
        host = addresses.host_of(url)
        if host not in self._speaks_for:
            self._speaks_for[host] = self._is_named_by(url, listed_by)
        return self._speaks_for[host]

    def _is_named_by(self, url: str, listed_by: str) -> bool:
        if len(self._speaks_for) >= _MOST_HOSTS:
            return False
        try:
            named = self.fetcher.sitemaps_named_by(url)
        except (ScrapingError, RequestFailed):
            return False
        own = {*addresses.variants(self.source.url), *addresses.variants(listed_by)}
        return any(addresses.canonical(url=sitemap) in own for sitemap in named)
