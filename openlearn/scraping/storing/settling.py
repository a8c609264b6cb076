"""Decide which document the text of a page belongs to, and store it there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from openlearn.scraping import addresses, dates
from openlearn.scraping.addresses import Claim
from openlearn.scraping.models import Document, Page
from openlearn.scraping.reading.articles import Extracted
from openlearn.scraping.reading.similarity import is_near
from openlearn.scraping.storing import copies, documents
from openlearn.scraping.storing.documents import Content, Outcome
from scheduler.messages import phrase

_GOOD_TEXT = 600
"""A stored text of so many characters is not given up for a remnant of it."""

_REMNANT = 10
"""One that is so many times shorter, under another title, is a remnant: the page of an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Where the text of a page went."""

    document_id: int | None
    outcome: Outcome
    problem: str = ""
    """The reason why the text was not taken. The stored one stays."""


def settle(*, page: Page, found: Extracted, now: datetime) -> Settled:
    """Store the text of a page in its document, inside the caller's transaction."""
    content = _content(page, found)
    if not content.title and not content.text:
        return _kept(page, phrase("No title and no text was found on the page."))
    own = Document.objects.filter(pk=page.document_id).first() if page.document_id is not None else None
    if own is not None and _is_remnant(own, found):
        return _kept(
            page, phrase("The new text is much shorter than the stored one and has another title: an error page?")
        )
    claimed = _claimed(page, found)
    target = own or _document_under(claimed, page, found)
    url = claimed if target is not None or own is not None or not _is_taken(claimed, page, found) else page.url
    stored = documents.upsert(
        source_id=page.source_id,
        url=url,
        content=content,
        now=now,
        document_id=target.pk if target is not None else None,
        is_listed=False,
    )
    if stored.document_id is not None:
        copies.group(document_id=stored.document_id, fingerprint=found.fingerprint)
    return Settled(document_id=stored.document_id, outcome=stored.outcome)


def _content(page: Page, found: Extracted) -> Content:
    """Return the facts of the feed before those of the page, but the text of the page."""
    hints = page.hints
    return Content(
        title=hints.get("title") or found.title,
        authors=tuple(hints.get("authors") or found.authors),
        summary=hints.get("summary") or found.summary,
        text=found.text,
        language=found.language or hints.get("language", ""),
        published_at=dates.instant(hints.get("published_at", "")) or found.published_at,
    )


def _kept(page: Page, problem: str) -> Settled:
    return Settled(document_id=page.document_id, outcome=Outcome.UNCHANGED, problem=problem)


def _claimed(page: Page, found: Extracted) -> str:
    """The address that the page has by its canonical link or at the end of its redirects, as far as plausible."""
    own = addresses.without_fragment(page.url)
    for url in (found.canonical_url, addresses.canonical(url=page.final_url) if page.final_url else None):
        if url and addresses.is_plausible(Claim(own=own, claimed=url)):
            return url
    return own


def _document_under(url: str, page: Page, found: Extracted) -> Document | None:
    """The document that is at this address, unless it is that of another page of the source with another text."""
    there = documents.under(url)
    return there if there is not None and not _is_of_another_page(there, page, found) else None


def _is_taken(url: str, page: Page, found: Extracted) -> bool:
    there = documents.under(url)
    return there is not None and _is_of_another_page(there, page, found)


def _is_of_another_page(there: Document, page: Page, found: Extracted) -> bool:
    """Templates give many pages one canonical link: it is believed only while the text is (nearly) the same."""
    if not Page.objects.filter(document=there, source_id=page.source_id).exclude(pk=page.pk).exists():
        return False
    if there.fingerprint and found.fingerprint:
        return not is_near(there.fingerprint, found.fingerprint)
    return there.text != found.text


def _is_remnant(own: Document, found: Extracted) -> bool:
    is_other = bool(found.title) and found.title.strip().lower() != own.title.strip().lower()
    return is_other and len(own.text) >= _GOOD_TEXT and len(found.text) * _REMNANT < len(own.text)
