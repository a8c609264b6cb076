"""Scrape a sitemap: its addresses, the sitemaps under an index in turns, and the pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import islice

from openlearn.scraping import addresses
from openlearn.scraping.errors import MalformedSitemap, ScrapingError
from openlearn.scraping.fetching.fetcher import Fetched
from openlearn.scraping.models import Listing, Page
from openlearn.scraping.reading import reader_process
from openlearn.scraping.reading.sitemaps import Location, Sitemap
from openlearn.scraping.scrapes.context import Context
from openlearn.scraping.scrapes.page_fetching import fetch_pages
from openlearn.scraping.storing import listings, pages
from scheduler.errors import RequestFailed
from scheduler.messages import phrase, phrase_of


def scrape_sitemap(context: Context) -> Fetched:
    """
    :raises ScrapingError, RequestFailed: for the sitemap itself. Errors of those under it and of pages are counted
    """
    fetched = context.fetch_source(to_file=True)
    if not fetched.not_modified:
        context.is_complete = _take(context, fetched)
    _read_further(context)
    at_rest = pages.at_rest(source=context.source)
    asked_again = fetch_pages(context, are_items=True)
    context.tally.count("unchanged", at_rest - asked_again)
    return fetched


def _read_further(context: Context) -> None:
    """Read the sitemaps under the index whose turn it is."""
    chosen = listings.to_fetch(
        source=context.source, now=context.now(), limit=context.settings.listing_limit, recheck=True
    )
    for listing in chosen:
        if not context.may_list_further or not _read_listing(context, listing):
            break
    context.tally.counts["listings_left"] = left = listings.left(source=context.source)
    if left:
        context.tally.note(
            phrase_of(
                "{number} sitemap of the index waits for its turn in the next scrapes.",
                "{number} sitemaps of the index wait for their turn in the next scrapes.",
                number=left,
            )
        )


def _read_listing(context: Context, listing: Listing) -> bool:
    """Read one sitemap under the index. ``False``: no other one is to be requested in this scrape."""
    try:
        fetched = context.fetcher.fetch_to_file(
            url=listing.url, kind="sitemap", etag=listing.etag, last_modified=listing.last_modified
        )
        before = context.tally.counts["listed"]
        is_complete = True if fetched.not_modified else _take(context, fetched)
    except (ScrapingError, RequestFailed) as error:
        return context.goes_on_after(error, listing=listing)
    listed = context.tally.counts["listed"] - before
    listings.record_read(listing=listing, fetched=fetched, locations=listed, is_complete=is_complete, now=context.now())
    return True


def _take(context: Context, fetched: Fetched) -> bool:
    """
    Note the pages and the sitemaps that one sitemap names. Returns whether all of it could be read.

    :raises AnotherKind, MalformedSitemap, MalformedFeed:
    """
    if fetched.file is None:
        raise ValueError("a sitemap is read from a file")
    with closing(fetched.file) as file:
        sitemap = Sitemap(
            file=file, url=fetched.url, charset=fetched.charset, most_bytes=context.settings.sitemap_bytes
        )
        found = _from_feed(context, fetched) if sitemap.is_feed else iter(sitemap)
        elsewhere: Counter[str] = Counter()
        while batch := list(islice(found, pages.ROWS)):
            _sync(context, batch, listed_by=fetched.url, elsewhere=elsewhere)
    if sitemap.problem and not sitemap.count and not sitemap.is_feed:
        raise MalformedSitemap(url=fetched.url, reason=sitemap.problem)
    context.tally.count("skipped", sitemap.skipped + elsewhere.total())
    _note_elsewhere(context, elsewhere)
    if sitemap.problem:
        context.tally.note(
            phrase(
                "{url} is not well-formed ({problem}); what could be read of it was.",
                url=fetched.url,
                problem=sitemap.problem,
            )
        )
    return not sitemap.is_incomplete


def _from_feed(context: Context, fetched: Fetched) -> Iterator[Location]:
    content = fetched.file.read() if fetched.file is not None else b""
    feed = reader_process.parse_feed(
        content=content, url=fetched.url, content_type=fetched.content_type, seconds=context.settings.feed_seconds
    )
    return (Location(url=entry.url, changed_at=entry.published_at) for entry in feed.entries if entry.has_page)


def _sync(context: Context, batch: list[Location], *, listed_by: str, elsewhere: Counter[str]) -> None:
    below = [location for location in batch if location.is_sitemap]
    named = [location for location in batch if not location.is_sitemap]
    own = [location for location in named if context.accepts(location.url, listed_by=listed_by)]
    accepted = {location.url for location in own}
    elsewhere.update(addresses.host_of(location.url) for location in named if location.url not in accepted)
    context.tally.counts["listed"] += len(batch)
    if below and (beyond := listings.sync(source=context.source, locations=below)):
        context.tally.count("skipped", beyond)
        context.tally.note(
            phrase("The index names more than {most:,} sitemaps; the others are left out.", most=listings.MOST)
        )
    if own and Page.objects.filter(source=context.source).count() >= context.settings.source_pages:
        context.tally.count("skipped", len(own))
        context.tally.note(
            phrase(
                "The source has {most:,} pages, which is the most; others are left out. Divide it into more sources.",
                most=context.settings.source_pages,
            )
        )
        return
    context.tally.count("skipped", pages.sync_locations(source=context.source, locations=own) if own else 0)


def _note_elsewhere(context: Context, elsewhere: Counter[str]) -> None:
    for host, number in elsewhere.most_common(3):
        context.tally.note(
            phrase_of(
                "{number} page on {host} is left out: a sitemap speaks for its own host only, unless the robots.txt of "
                "the other one names it. Make a source for that host.",
                "{number} pages on {host} are left out: a sitemap speaks for its own host only, unless the robots.txt "
                "of the other one names it. Make a source for that host.",
                number=number,
                host=host,
            )
        )
