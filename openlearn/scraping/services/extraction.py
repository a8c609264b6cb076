"""Turn fetched pages into documents."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import connection
from django.db.models import F
from django.utils import timezone

from openlearn.scraping import conf, sentences
from openlearn.scraping.errors import NotForIndexing, UnreadablePage
from openlearn.scraping.models import EXTRACTION_ATTEMPTS, Page
from openlearn.scraping.reading import reader_process
from openlearn.scraping.reading.articles import Extracted
from openlearn.scraping.storing import settling
from openlearn.scraping.storing.documents import Outcome
from scheduler.services import transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionSummary:
    """The counts of stored pages whose text was extracted."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    skipped: int = 0
    """Pages without title and text, that ask not to be collected, and documents of other sources."""

    failed: int = 0
    """Pages that could not be read within the limits. Each page has the reason."""

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def extract_documents(*, limit: int = 10_000, now: Callable[[], datetime] = timezone.now) -> ExtractionSummary:
    """
    Extract the text of stored pages, oldest first, at most ``limit`` of them, and store the documents.

    It ends after the time of a scrape as well; the next call continues.

    Pages are read in processes of their own, some at once, each with a limit of processor time. The database is used
    by this thread alone.
    """
    counts: Counter[str] = Counter()
    settings = conf.get()
    chosen = list(Page.objects.unextracted().values_list("id", flat=True)[:limit])
    at_once = settings.extraction_processes
    ends_at = time.monotonic() + settings.run_seconds
    with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="extraction") as threads:
        for start in range(0, len(chosen), 4 * at_once):
            if time.monotonic() >= ends_at:
                break
            claimed = _claim(chosen[start : start + 4 * at_once])
            _release_connection()
            reading = [(page, threads.submit(_read, page, settings.page_seconds)) for page in claimed]
            for page, answer in reading:
                counts[_store(page, answer.result(), now=now)] += 1
    return ExtractionSummary(**counts)


def _claim(ids: list[int]) -> list[Page]:
    """Count the attempt before the work: a page that ends its process does not get to do so for ever."""
    waiting = Page.objects.unextracted().filter(pk__in=ids).order_by()
    waiting.update(extraction_attempts=F("extraction_attempts") + 1)
    return list(Page.objects.filter(pk__in=ids, extracted_at__isnull=True).order_by("fetched_at", "id"))


def _read(page: Page, seconds: int) -> Extracted | NotForIndexing | UnreadablePage:
    try:
        return reader_process.extract_page(
            content=bytes(page.body or b""),
            url=page.final_url or page.url,
            content_type=page.content_type,
            seconds=seconds,
        )
    except (NotForIndexing, UnreadablePage) as error:
        return error


def _store(page: Page, found: Extracted | NotForIndexing | UnreadablePage, *, now: Callable[[], datetime]) -> str:
    """Store the document of one page, and return what to count it as."""
    if isinstance(found, NotForIndexing):
        _mark(page, now=now(), document_id=page.document_id, problem=found.message)
        return "skipped"
    if isinstance(found, UnreadablePage):
        Page.objects.filter(pk=page.pk, body_hash=page.body_hash).update(
            extraction_attempts=EXTRACTION_ATTEMPTS, extraction_problem=sentences.as_data(found.message)
        )
        return "failed"
    with transactions.atomic():
        settled = settling.settle(page=page, found=found, now=now())
        _mark(page, now=now(), document_id=settled.document_id, problem=settled.problem)
    return "skipped" if settled.problem or settled.outcome is Outcome.FOREIGN else settled.outcome.value


def _mark(page: Page, *, now: datetime, document_id: int | None, problem: str) -> None:
    """Unless another body came meanwhile, whose turn is still to come."""
    Page.objects.filter(pk=page.pk, body_hash=page.body_hash).update(
        extracted_at=now,
        document_id=document_id,
        extraction_problem=sentences.as_data(problem) if problem else {},
    )


def _release_connection() -> None:
    """The pages are read without the database, which may take a while."""
    if not connection.in_atomic_block:
        connection.close()
