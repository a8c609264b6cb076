"""Fetch the pages whose turn it is."""

from __future__ import annotations

from django.db import DataError

from openlearn.scraping import addresses
from openlearn.scraping.addresses import Claim
from openlearn.scraping.errors import (
    AskedToWait,
    ForbiddenByRobots,
    NotForIndexing,
    OutOfTime,
    ScrapingError,
    WrongContentType,
)
from openlearn.scraping.fetching.fetcher import Fetched
from openlearn.scraping.models import Page
from openlearn.scraping.reading import articles
from openlearn.scraping.scrapes.context import Context
from openlearn.scraping.storing import pages
from openlearn.scraping.storing.documents import Outcome
from scheduler.errors import RequestFailed
from scheduler.messages import phrase


def fetch_pages(context: Context, *, are_items: bool) -> int:
    """
    Fetch the pages that are due and, if the pages are the items, some that may have changed unnoticed.

    Returns the number of the latter. Those that were not reached are counted as skipped.
    """
    source = context.source
    due = pages.to_fetch(source=source, now=context.now())
    unsure: list[Page] = []
    if are_items:
        after_id = int(context.cursor.get("rechecked", 0))
        unsure = pages.to_recheck(source=source, after_id=after_id, limit=source.page_limit - len(due))
    reached = 0
    for page in (*due, *unsure):
        if not _fetch_page(context, page, is_item=are_items):
            break
        reached += 1
    rechecked = unsure[: max(0, reached - len(due))]
    if rechecked:
        context.cursor["rechecked"] = rechecked[-1].pk
    context.tally.count("skipped", len(unsure) - len(rechecked))
    context.tally.counts["pages_left"] = Page.objects.filter(source=source).waiting().count()
    return len(unsure)


def _fetch_page(context: Context, page: Page, *, is_item: bool) -> bool:
    """Fetch one page. ``False``: no further one is to be requested in this scrape."""
    try:
        fetched = context.fetcher.fetch(
            url=addresses.without_fragment(page.url), kind="page", etag=page.etag, last_modified=page.last_modified
        )
        store_page(context, page, fetched, is_item=is_item)
    except OutOfTime as error:
        context.tally.note(error.message)
        return False
    except AskedToWait as error:
        context.tally.note(error.message)
        # Its turn is over all the same: otherwise one page that always answers so would be the first for ever.
        Page.objects.filter(pk=page.pk).update(asked_at=context.now(), retry_at=error.until_at)
        if not addresses.same_site(page.url, context.source.url):
            return True
        context.retry_not_before = error.until_at
        return False
    except (ForbiddenByRobots, NotForIndexing, WrongContentType) as error:
        _record_failure(context, page, error, count="skipped")
    except (ScrapingError, RequestFailed, DataError, ValueError) as error:
        _record_failure(context, page, error, count="failed")
    return True


def store_page(context: Context, page: Page, fetched: Fetched, *, is_item: bool) -> None:
    """
    Store the body of a page if it is another one than before.

    :raises WrongContentType, NotForIndexing: it does not hold material, and the stored content stays
    """
    if not fetched.not_modified:
        _check(page, fetched)
    outcome = pages.store_body(page=page, fetched=fetched, now=context.now())
    if is_item:
        context.tally.count(outcome.value)
    if outcome is not Outcome.UNCHANGED:
        context.tally.count("pages")


def _check(page: Page, fetched: Fetched) -> None:
    if fetched.no_index:
        raise NotForIndexing(url=page.url, reason=phrase("a header asks that it is not collected (noindex)"))
    claim = Claim(own=page.url, claimed=fetched.url)
    if not addresses.is_plausible(claim):
        raise NotForIndexing(url=page.url, reason=phrase("it leads to {target}", target=fetched.url))
    articles.check_type(url=fetched.url, media_type=fetched.media_type, content=fetched.content)


def _record_failure(context: Context, page: Page, error: Exception, *, count: str) -> None:
    pages.record_failure(page=page, error=error, now=context.now())
    context.tally.count(count)
    context.tally.note(getattr(error, "message", "") or str(error))
