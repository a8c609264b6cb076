"""Store documents under their address, and only if something about them changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from openlearn.scraping import addresses
from openlearn.scraping.models import Document
from scheduler.services import transactions


class Outcome(StrEnum):
    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FOREIGN = "foreign"
    """The document came from another source, which keeps updating it. It was not written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The known facts of a document. Empty text, no names and ``None`` mean unknown."""

    title: str = ""
    authors: tuple[str, ...] = ()
    summary: str = ""
    text: str = ""
    language: str = ""
    published_at: datetime | None = None

    @property
    def hash(self) -> str:
        facts = asdict(self) | {"published_at": self.published_at and self.published_at.isoformat()}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    document_id: int | None
    """``None``: it is another source's."""

    outcome: Outcome


def upsert(
    *,
    source_id: int,
    url: str,
    content: Content,
    now: datetime,
    keep_text: bool = False,
    document_id: int | None = None,
    is_listed: bool = True,
) -> Stored:
    """
    Store the known facts of a document, in a transaction that locks its row.

    ``document_id`` is the document that the item is known to be, wherever it was. Otherwise it is found under the
    spellings of its address. Unknown facts keep their stored values. ``keep_text`` keeps a stored text, because the
    given one is poorer. A document without a source is taken over. ``is_listed``: its source names it now, which ends
    a withdrawal.
    """
    with transactions.atomic(savepoint=False):  # most callers are in a transaction of their own
        known = _locked(document_id, url)
        document, created = (known, False) if known else _created(source_id, url, content, now)
        if created:
            return Stored(document_id=document.pk, outcome=Outcome.NEW)
        if document.source_id not in {None, source_id}:
            return Stored(document_id=None, outcome=Outcome.FOREIGN)
        merged = _merged(document, content, keep_text=keep_text)
        changed = merged.hash != document.content_hash
        facts = {
            "source_id": source_id,
            "url": _address(document, url, is_known=document_id is not None),
            "withdrawn_at": None if is_listed else document.withdrawn_at,
        }
        if changed or any(getattr(document, name) != value for name, value in facts.items()):
            Document.objects.filter(pk=document.pk).update(
                content_hash=merged.hash,
                changed_at=now if changed else document.changed_at,
                **facts,
                **_fields(merged),
            )
        return Stored(document_id=document.pk, outcome=Outcome.CHANGED if changed else Outcome.UNCHANGED)


def under(url: str) -> Document | None:
    """The document that is stored under this address, in whatever spelling."""
    spellings = addresses.variants(url)
    found = {document.url: document for document in Document.objects.filter(url__in=spellings)}
    return next((found[spelling] for spelling in spellings if spelling in found), None)


def _locked(document_id: int | None, url: str) -> Document | None:
    if document_id is not None:
        known = Document.objects.select_for_update().filter(pk=document_id).first()
        if known is not None:
            return known
    spellings = addresses.variants(url)
    found = {document.url: document for document in Document.objects.select_for_update().filter(url__in=spellings)}
    return next((found[spelling] for spelling in spellings if spelling in found), None)


def _created(source_id: int, url: str, content: Content, now: datetime) -> tuple[Document, bool]:
    """Create the document, which another scrape may have created at the same time."""
    return Document.objects.select_for_update().get_or_create(
        url=url,
        defaults={
            "source_id": source_id,
            "content_hash": content.hash,
            "first_seen_at": now,
            "changed_at": now,
            **_fields(content),
        },
    )


def _address(document: Document, url: str, *, is_known: bool) -> str:
    """Where the document is from now on: an item that moved moves it, unless another document is there."""
    if url == document.url:
        return url
    is_upgrade = document.url.startswith("http://") and url == "https://" + document.url[len("http://") :]
    if not is_known and not is_upgrade:
        return document.url
    taken = Document.objects.filter(url__in=addresses.variants(url)).exclude(pk=document.pk).exists()
    return document.url if taken else url


def foreign_addresses(*, source_id: int, urls: list[str]) -> set[str]:
    """Which of these addresses are documents of other sources."""
    others = Document.objects.filter(url__in=urls, source__isnull=False).exclude(source_id=source_id)
    return set(others.values_list("url", flat=True))


def _merged(document: Document, content: Content, *, keep_text: bool) -> Content:
    known = Content(
        title=document.title,
        authors=tuple(document.authors),
        summary=document.summary,
        text=document.text,
        language=document.language,
        published_at=document.published_at,
    )
    given = {name: value for name, value in _values(content).items() if value}
    if keep_text and document.text:
        given.pop("text", None)
    return replace(known, **given)


def _values(content: Content) -> dict[str, Any]:
    return {
        "title": content.title,
        "authors": content.authors,
        "summary": content.summary,
        "text": content.text,
        "language": content.language,
        "published_at": content.published_at,
    }


def _fields(content: Content) -> dict[str, Any]:
    return _values(content) | {"authors": list(content.authors)}
