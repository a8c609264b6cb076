"""Scrape a feed: its entries, its further pages, and the pages of its entries."""

from __future__ import annotations

from django.db import DataError, IntegrityError

from openlearn.scraping.errors import ScrapingError
from openlearn.scraping.fetching.fetcher import Fetched
from openlearn.scraping.models import Listing
from openlearn.scraping.reading import reader_process
from openlearn.scraping.reading.feeds import Entry, Feed
from openlearn.scraping.scrapes.context import Context
from openlearn.scraping.scrapes.page_fetching import fetch_pages
from openlearn.scraping.scrapes.summary import Wishes
from openlearn.scraping.storing import listings, pages
from openlearn.scraping.storing.documents import Outcome
from openlearn.scraping.storing.pages import KnownItems
from scheduler.errors import RequestFailed
from scheduler.messages import phrase, phrase_of

_AHEAD = "entries"
"""The key of the cursor that says how many entries of the feed were read already."""


def scrape_feed(context: Context) -> Fetched:
    """
    :raises ScrapingError, RequestFailed: for the feed itself. Errors of its entries and pages are counted
    """
    fetched = context.fetch_source()
    if not fetched.not_modified:
        _read_first(context, fetched)
    _read_further(context)
    fetch_pages(context, are_items=False)
    return fetched


def _read_first(context: Context, fetched: Fetched) -> None:
    start = int(context.cursor.pop(_AHEAD, 0))
    feed = _parse(context, fetched, start=start)
    context.wishes = Wishes(
        fresh_seconds=max(context.wishes.fresh_seconds, feed.pace.ttl_seconds),
        skipped_hours=feed.pace.skipped_hours,
        skipped_days=feed.pace.skipped_days,
    )
    fresh = store_entries(context, feed.entries)
    if feed.left:
        context.cursor[_AHEAD] = start + len(feed.entries) + feed.skipped
        context.is_complete = False
        context.tally.note(
            phrase_of(
                "{number} further entry of the feed is read by the next scrape.",
                "{number} further entries of the feed are read by the next scrapes.",
                number=feed.left,
            )
        )
    elif start:
        # The beginning was passed over this time: ask for all of it again.
        context.is_complete = False
    if feed.next_url:
        # More came than one page of the feed holds: what was its first page is further behind now.
        is_all_new = bool(feed.entries) and fresh == len(feed.entries)
        listings.add_next(source=context.source, url=feed.next_url, again=is_all_new)


def _read_further(context: Context) -> None:
    """Read further, older pages of the feed until they bring no new entries."""
    for _ in range(context.settings.listing_limit):
        chosen = listings.to_fetch(source=context.source, now=context.now(), limit=1, recheck=False)
        if not chosen or not context.may_list_further or not _read_listing(context, chosen[0]):
            break
    context.tally.counts["listings_left"] = listings.left(source=context.source)


def _read_listing(context: Context, listing: Listing) -> bool:
    """Read one further page. ``False``: no other one is to be requested in this scrape."""
    try:
        fetched = context.fetcher.fetch(
            url=listing.url, kind="feed", etag=listing.etag, last_modified=listing.last_modified
        )
        feed = Feed(entries=(), skipped=0, problem="") if fetched.not_modified else _parse(context, fetched)
    except (ScrapingError, RequestFailed) as error:
        return context.goes_on_after(error, listing=listing)
    fresh = store_entries(context, feed.entries)
    listings.record_read(
        listing=listing, fetched=fetched, locations=len(feed.entries), is_complete=True, now=context.now()
    )
    if feed.next_url and fresh:
        listings.add_next(source=context.source, url=feed.next_url, again=False)
    return True


def _parse(context: Context, fetched: Fetched, *, start: int = 0) -> Feed:
    feed = reader_process.parse_feed(
        content=fetched.content,
        url=fetched.url,
        content_type=fetched.content_type,
        start=start,
        most=context.settings.feed_entries,
        seconds=context.settings.feed_seconds,
    )
    context.tally.count("skipped", feed.skipped)
    for note in feed.notes:
        context.tally.note(note)
    if feed.problem:
        context.tally.note(
            phrase(
                "{url} is not well-formed ({problem}); what could be read of it was.",
                url=fetched.url,
                problem=feed.problem,
            )
        )
    return feed


def store_entries(context: Context, entries: tuple[Entry, ...]) -> int:
    """Store what is new or changed. Returns how many are new."""
    items = KnownItems(source=context.source, entries=entries)
    fresh = 0
    for entry in entries:
        item = items.find(entry)
        if pages.is_unchanged(item, entry):
            context.tally.count("unchanged")
            continue
        try:
            outcome = pages.store_entry(source=context.source, entry=entry, item=item, now=context.now())
        except (DataError, IntegrityError, ValueError) as error:
            # The database rejects this one; the others are not to suffer. It is tried again with the next scrape.
            context.tally.count("failed")
            context.is_complete = False
            context.tally.note(phrase("{url} could not be stored: {error}", url=entry.url, error=str(error)[:300]))
            continue
        fresh += outcome is Outcome.NEW
        context.tally.count("skipped" if outcome is Outcome.FOREIGN else outcome.value)
    return fresh
