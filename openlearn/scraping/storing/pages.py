"""The items of a source: which are known, whose turn it is, and what came."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.db.models import Case, F, Value, When
from django.db.models.functions import Least

from openlearn.scraping import addresses, sentences
from openlearn.scraping.fetching.fetcher import Fetched
from openlearn.scraping.models import Document, Page, Source
from openlearn.scraping.reading.feeds import Entry
from openlearn.scraping.reading.sitemaps import Location
from openlearn.scraping.storing import backoff, documents
from openlearn.scraping.storing.documents import Content, Outcome
from scheduler.services import transactions

ROWS = 1_000

# What choosing and fetching a page needs: not its body, which may be megabytes.
_LIGHT = ("id", "url", "marker", "is_due", "failures", "etag", "last_modified", "body_hash", "fetched_at", "asked_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownItem:
    """The stored facts of an item."""

    id: int
    url: str
    guid: str
    marker: str
    document_id: int | None


class KnownItems:
    """The stored items of a source that some entries may be: by guid, else by any spelling of their address."""

    def __init__(self, *, source: Source, entries: tuple[Entry, ...]) -> None:
        self._by_guid: dict[str, KnownItem] = {}
        self._by_url: dict[str, KnownItem] = {}
        waiting = iter(entries)
        while batch := list(islice(waiting, ROWS)):
            guids = {entry.guid for entry in batch if entry.guid}
            urls = {spelling for entry in batch for spelling in addresses.variants(entry.url)}
            rows = Page.objects.filter(source=source).values_list("id", "url", "guid", "marker", "document_id")
            for row in (*rows.filter(guid__in=guids), *rows.filter(url__in=urls)):
                item = KnownItem(id=row[0], url=row[1], guid=row[2], marker=row[3], document_id=row[4])
                self._by_url[item.url] = item
                if item.guid:
                    self._by_guid[item.guid] = item

    def find(self, entry: Entry) -> KnownItem | None:
        if entry.guid in self._by_guid:
            return self._by_guid[entry.guid]
        for spelling in addresses.variants(entry.url):
            if spelling in self._by_url:
                return self._by_url[spelling]
        return None


def is_unchanged(item: KnownItem | None, entry: Entry) -> bool:
    """The entry says what is stored, and is where it was."""
    if item is None or item.document_id is None or item.marker != entry.marker or item.guid != entry.guid:
        return False
    return item.url == entry.url or _is_same_page(item.url, entry.url)


def store_entry(*, source: Source, entry: Entry, item: KnownItem | None, now: datetime) -> Outcome:
    """Store an entry of a feed that is new or changed, and let its page be fetched if the source wants pages."""
    content = Content(
        title=entry.title,
        authors=entry.authors,
        summary=entry.summary,
        text=entry.text,
        language=entry.language,
        published_at=entry.published_at,
    )
    wants_page = source.page_limit > 0 and entry.has_page
    with transactions.atomic():
        stored = documents.upsert(
            source_id=source.pk,
            url=entry.url,
            content=content,
            now=now,
            keep_text=wants_page,
            document_id=item.document_id if item is not None else None,
        )
        if stored.outcome is Outcome.FOREIGN:
            return stored.outcome
        values: dict[str, object] = {
            "document_id": stored.document_id,
            "guid": entry.guid,
            "marker": entry.marker,
            "hints": _hints(entry),
            "is_due": wants_page,
        }
        if item is None:
            page = Page(source=source, url=entry.url, **values)
            Page.objects.bulk_create(
                [page], update_conflicts=True, unique_fields=["source", "url"], update_fields=list(values)
            )
        else:
            _update(source, item, entry, values)
    return stored.outcome


def _update(source: Source, item: KnownItem, entry: Entry, values: dict[str, object]) -> None:
    moved = item.url != entry.url and not _is_same_page(item.url, entry.url)
    if moved and not Page.objects.filter(source=source, url=entry.url).exists():
        # What the old address said about itself means nothing for the new one.
        values |= {"url": entry.url, "etag": "", "last_modified": "", "failures": 0, "retry_at": None}
    if entry.guid and Page.objects.filter(source=source, guid=entry.guid).exclude(pk=item.id).exists():
        values.pop("guid")
    Page.objects.filter(pk=item.id).update(**({"retry_at": _sooner()} | values))


def _is_same_page(stored: str, named: str) -> bool:
    """Return whether two addresses are of one page: an entry may share it with others now, and not later."""
    return addresses.without_fragment(stored) == addresses.without_fragment(named)


def withdraw(*, source: Source, guids: list[str], now: datetime) -> int:
    """Mark the documents of these items as withdrawn: their repository deleted them. Their text stays."""
    gone = Page.objects.filter(source=source, guid__in=guids, document__isnull=False)
    ids = list(gone.values_list("document_id", flat=True))
    gone.update(is_due=False, failures=0, marker="")
    return Document.objects.filter(pk__in=ids, source=source, withdrawn_at__isnull=True).update(withdrawn_at=now)


def sync_locations(*, source: Source, locations: list[Location]) -> int:
    """
    Let those pages of a sitemap be fetched that are new or that it says were changed: at most ``ROWS`` of them.

    Returns how many were left to other sources.
    """
    by_url = {location.url: location for location in locations}
    foreign = documents.foreign_addresses(source_id=source.pk, urls=list(by_url))
    own = {url: location for url, location in by_url.items() if url not in foreign}
    known = dict(Page.objects.filter(source=source, url__in=own).values_list("url", "marker"))
    changed = {url: location for url, location in own.items() if url in known and known[url] != marker_of(location)}
    unknown = {url: location for url, location in own.items() if url not in known}
    _rename(source, unknown)
    Page.objects.bulk_create(
        [Page(source=source, url=url, marker=marker_of(location), is_due=True) for url, location in unknown.items()],
        ignore_conflicts=True,
    )
    _mark_changed(source, changed)
    return len(foreign)


def _rename(source: Source, unknown: dict[str, Location]) -> None:
    """Pages that are stored under another spelling of their address get the one that the sitemap uses now."""
    spellings = {
        spelling: url for url in unknown for spelling in addresses.variants(url)[1:] if spelling not in unknown
    }
    stored = Page.objects.filter(source=source, url__in=spellings).values_list("pk", "url")
    for pk, url in stored:
        if (location := unknown.pop(spellings[url], None)) is not None:
            Page.objects.filter(pk=pk).update(url=location.url, marker=marker_of(location), is_due=True)


def _mark_changed(source: Source, changed: dict[str, Location]) -> None:
    by_marker: dict[str, list[str]] = {}
    for url, location in changed.items():
        by_marker.setdefault(marker_of(location), []).append(url)
    for marker, urls in by_marker.items():
        Page.objects.filter(source=source, url__in=urls).update(marker=marker, is_due=True, retry_at=_sooner())


def _sooner() -> Case:
    """A failing page that its source says was changed is tried before the end of its back-off."""
    soon = Least(F("retry_at"), F("asked_at") + Value(backoff.MARKED_AGAIN))
    return Case(When(retry_at__isnull=False, then=soon))


def to_fetch(*, source: Source, now: datetime) -> list[Page]:
    """Choose the pages whose turn it is, at most ``source.page_limit``."""
    return list(Page.objects.filter(source=source).due(now).only(*_LIGHT)[: source.page_limit])


def to_recheck(*, source: Source, after_id: int, limit: int) -> list[Page]:
    """
    Choose pages whose changes the source never reports, behind the one that was chosen last.

    All of them get their turn, without a write for those that did not change.
    """
    if limit <= 0:
        return []
    unsure = Page.objects.filter(source=source, is_due=False, failures=0, marker="").order_by("pk").only(*_LIGHT)
    chosen = list(unsure.filter(pk__gt=after_id)[:limit])
    if len(chosen) < limit:
        chosen += unsure.filter(pk__lte=after_id)[: limit - len(chosen)]
    return chosen


def at_rest(*, source: Source) -> int:
    """Return how many pages are neither to be fetched nor failing."""
    return Page.objects.filter(source=source, is_due=False, failures=0).count()


def store_body(*, page: Page, fetched: Fetched, now: datetime) -> Outcome:
    """Store the fetched body if it differs from the former one. An unchanged page is not written."""
    body_hash = hashlib.sha256(fetched.content).hexdigest()
    fine = {"is_due": False, "failures": 0, "last_error": "", "failure_code": "", "failure": {}, "retry_at": None}
    if fetched.not_modified or body_hash == page.body_hash:
        if page.is_due or page.failures:
            Page.objects.filter(pk=page.pk).update(**fine, asked_at=now)
        return Outcome.UNCHANGED
    Page.objects.filter(pk=page.pk).update(
        **fine,
        asked_at=now,
        etag=fetched.etag,
        last_modified=fetched.last_modified,
        final_url=fetched.url if addresses.is_short_enough(fetched.url) else "",
        content_type=fetched.content_type,
        body=fetched.content,
        body_hash=body_hash,
        fetched_at=now,
        extracted_at=None,
        extraction_attempts=0,
        extraction_problem={},
    )
    return Outcome.CHANGED if page.body_hash else Outcome.NEW


def failure_values(*, error: Exception, failures: int, now: datetime) -> dict[str, object]:
    """The columns of a row that was requested in vain."""
    code = backoff.code_of(error)
    return {
        "failures": min(failures + 1, 10_000),
        "failure_code": code,
        "failure": sentences.as_data(getattr(error, "message", "") or str(error)),
        "last_error": str(error)[:2000],
        "asked_at": now,
        "retry_at": backoff.retry_at(code=code, failures=failures + 1, now=now),
    }


def record_failure(*, page: Page, error: Exception, now: datetime) -> None:
    """Note what went wrong with a page. It is requested again after its back-off."""
    Page.objects.filter(pk=page.pk).update(**failure_values(error=error, failures=page.failures, now=now))


def retry(pages: Page | list[int]) -> int:
    """Let failing pages be requested by the next scrape. Returns how many there were."""
    ids = [pages.pk] if isinstance(pages, Page) else pages
    return Page.objects.filter(pk__in=ids, failures__gt=0).update(retry_at=None)


def marker_of(location: Location) -> str:
    return location.changed_at.isoformat() if location.changed_at is not None else ""


def _hints(entry: Entry) -> dict[str, object]:
    return {
        "title": entry.title,
        "authors": list(entry.authors),
        "summary": entry.summary,
        "language": entry.language,
        "published_at": entry.published_at.isoformat() if entry.published_at is not None else "",
    }
