"""Scrape a source of any kind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from openlearn.scraping.fetching.fetcher import Fetched, Fetcher
from openlearn.scraping.models import Page, Source
from openlearn.scraping.scrapes.context import Context
from openlearn.scraping.scrapes.feed_scrape import scrape_feed
from openlearn.scraping.scrapes.page_fetching import store_page
from openlearn.scraping.scrapes.repository_scrape import scrape_repository
from openlearn.scraping.scrapes.sitemap_scrape import scrape_sitemap
from openlearn.scraping.scrapes.summary import Scraped, ScrapeSummary


def scrape(*, source: Source, fetcher: Fetcher, now: Callable[[], datetime]) -> Scraped:
    """
    Fetch the source and its pages, and store what changed.

    :raises ScrapingError, RequestFailed: for the source itself. Errors of its items are counted
    """
    context = Context(source=source, fetcher=fetcher, now=now)
    fetched = _STEPS[Source.Kind(source.kind)](context)
    counts = context.tally.counts
    counts.pop("listed", None)
    own = Page.objects.filter(source=source)
    numbers: dict[str, Any] = dict(counts)
    summary = ScrapeSummary(
        **numbers,
        # With a limit of 0 no page is requested: what failed before says nothing any more.
        failing=own.failing().count() if source.page_limit else 0,
        not_modified=context.not_modified,
        retry_not_before=context.retry_not_before,
        problems=context.tally.problems,
    )
    etag, last_modified = _validators(context, fetched)
    return Scraped(
        summary=summary,
        etag=etag,
        last_modified=last_modified,
        cursor=context.cursor,
        moved_to=context.moved_to,
        pages_known=own.count(),
        wishes=context.wishes,
    )


def scrape_page(context: Context) -> Fetched:
    """Fetch the page that is the source."""
    source = context.source
    page, _ = Page.objects.get_or_create(source=source, url=source.url, defaults={"is_due": True})
    fetched = context.fetcher.fetch(url=source.url, kind="page", etag=page.etag, last_modified=page.last_modified)
    context.take_note_of(fetched)
    store_page(context, page, fetched, is_item=True)
    return fetched


def _validators(context: Context, fetched: Fetched) -> tuple[str, str]:
    """Return the validators for the next request, empty if some items of the source are missing."""
    if fetched.not_modified:
        return context.source.etag, context.source.last_modified
    if not context.is_complete:
        return "", ""
    return fetched.etag, fetched.last_modified


_STEPS = {
    Source.Kind.FEED: scrape_feed,
    Source.Kind.SITEMAP: scrape_sitemap,
    Source.Kind.PAGE: scrape_page,
    Source.Kind.REPOSITORY: scrape_repository,
}
