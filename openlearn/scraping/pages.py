"""The items of a source: which pages are to be fetched, and what came."""

from __future__ import annotations

import hashlib
from datetime import datetime
from itertools import islice

from django.db import transaction

from openlearn.scraping import conf, documents, feeds
from openlearn.scraping.documents import Content, Outcome
from openlearn.scraping.fetching import Fetched
from openlearn.scraping.models import Page, Source
from openlearn.scraping.sitemaps import Location

_ROWS = 1_000

# What choosing and fetching a page needs: not its body, which may be megabytes.
_LIGHT = ("id", "url", "marker", "is_due", "failures", "etag", "last_modified", "body_hash", "fetched_at")


def store_entry(*, source: Source, entry: feeds.Entry, now: datetime) -> Outcome:
    """Store an entry of a feed that is new or changed, and let its page be fetched if the source wants pages."""
    content = Content(
        title=entry.title,
        authors=entry.authors,
        summary=entry.summary,
        text=entry.text,
        language=entry.language,
        published_at=entry.published_at,
    )
    with transaction.atomic():
        stored = documents.upsert(
            source_id=source.pk, url=entry.url, content=content, now=now, keep_text=source.page_limit > 0
        )
        if stored.outcome is not Outcome.FOREIGN:
            Page.objects.update_or_create(
                source=source,
                url=entry.url,
                defaults={
                    "document_id": stored.document_id,
                    "marker": entry.marker,
                    "hints": _hints(entry),
                    "is_due": source.page_limit > 0,
                    "failures": 0,
                },
            )
    return stored.outcome


def known_markers(*, source: Source, urls: list[str]) -> dict[str, str]:
    """The markers of those of these items that are stored together with their document."""
    pages = Page.objects.filter(source=source, url__in=urls, document__isnull=False)
    return dict(pages.values_list("url", "marker"))


def sync_locations(*, source: Source, locations: tuple[Location, ...]) -> int:
    """
    Let those pages of a sitemap be fetched that are new or that it says were changed.

    Returns how many were left to other sources.
    """
    foreign_count = 0
    waiting = iter(locations)
    while batch := list(islice(waiting, _ROWS)):
        urls = [location.url for location in batch]
        foreign = documents.foreign_addresses(source_id=source.pk, urls=urls)
        foreign_count += len(foreign)
        known = dict(Page.objects.filter(source=source, url__in=urls).values_list("url", "marker"))
        own = [location for location in batch if location.url not in foreign]
        Page.objects.bulk_create(
            [
                Page(source=source, url=location.url, marker=_marker(location), is_due=True)
                for location in own
                if location.url not in known
            ],
            ignore_conflicts=True,
        )
        for location in own:
            if location.url in known and known[location.url] != _marker(location):
                Page.objects.filter(source=source, url=location.url).update(
                    marker=_marker(location), is_due=True, failures=0
                )
    return foreign_count


def to_fetch(*, source: Source, recheck: bool) -> list[Page]:
    """
    Choose pages to fetch, at most ``source.page_limit``: those that are due first.

    ``recheck``: also pages of which the source never says whether they changed. If there are too many for one scrape
    they take turns by chance: noting whose turn it is would be a write for each page that did not change.
    """
    pages = Page.objects.filter(source=source).only(*_LIGHT)
    chosen = list(pages.due()[: source.page_limit])
    if recheck and len(chosen) < source.page_limit:
        unsure = pages.filter(is_due=False, marker="", failures__lt=conf.get().page_attempts)
        chosen += unsure.order_by("?")[: source.page_limit - len(chosen)]
    return chosen


def at_rest(*, source: Source) -> int:
    """How many pages are neither to be fetched nor given up."""
    return Page.objects.filter(source=source, is_due=False, failures__lt=conf.get().page_attempts).count()


def store_body(*, page: Page, fetched: Fetched, now: datetime) -> Outcome:
    """Keep what was fetched if it is another body than before. Nothing is written for a page that did not change."""
    body_hash = hashlib.sha256(fetched.content).hexdigest()
    if fetched.not_modified or body_hash == page.body_hash:
        if page.is_due or page.failures:
            Page.objects.filter(pk=page.pk).update(is_due=False, failures=0, last_error="")
        return Outcome.UNCHANGED
    Page.objects.filter(pk=page.pk).update(
        is_due=False,
        failures=0,
        last_error="",
        etag=fetched.etag,
        last_modified=fetched.last_modified,
        final_url=fetched.url,
        content_type=fetched.content_type,
        body=fetched.content,
        body_hash=body_hash,
        fetched_at=now,
        extracted_at=None,
        extraction_attempts=0,
    )
    return Outcome.CHANGED if page.body_hash else Outcome.NEW


def record_failure(*, page: Page, error: Exception, final: bool) -> None:
    """Note what went wrong with a page. It is tried again by the next scrapes unless that is final or was enough."""
    attempts = conf.get().page_attempts
    failures = attempts if final else min(page.failures + 1, attempts)
    Page.objects.filter(pk=page.pk).update(
        failures=failures, last_error=str(error)[:2000], is_due=page.is_due and failures < attempts
    )


def _marker(location: Location) -> str:
    return location.changed_at.isoformat() if location.changed_at is not None else ""


def _hints(entry: feeds.Entry) -> dict[str, object]:
    return {
        "title": entry.title,
        "authors": list(entry.authors),
        "summary": entry.summary,
        "language": entry.language,
        "published_at": entry.published_at.isoformat() if entry.published_at is not None else "",
    }
