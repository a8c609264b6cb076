"""What people and jobs ask of scraping: each is one call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from openlearn.scraping import documents, extraction, text
from openlearn.scraping.documents import Content, Outcome
from openlearn.scraping.errors import AskedToWait, PageGone, ScrapingError, SourceNotFound
from openlearn.scraping.fetching import Fetcher
from openlearn.scraping.models import Page, Source
from openlearn.scraping.scrapes import Scrape, Scraped, ScrapeSummary
from scheduler.errors import AlreadyPaused, JobNotFound, RequestFailed
from scheduler.messages import phrase
from scheduler.models import Job, Run
from scheduler.services import jobs

SCRAPE_TASK = "scraping.scrape_source"
EXTRACT_TASK = "scraping.extract_documents"
EXTRACT_JOB_ID = "scraping.extract_documents"

_UNITS = ("weeks", "days", "hours", "minutes", "seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionSummary:
    """What became of stored pages."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    skipped: int = 0
    """Pages without title and text, and documents of other sources."""

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def save_source(*, source: Source, actor: str = "", origin: str = "code", paused: bool = False) -> Job:
    """
    Save a source and create or update the job that scrapes it, in one transaction.

    ``origin`` is where the wish came from: ``admin``, ``api`` or ``code``. ``paused`` is for a job that is new; one
    that exists stays paused or active as it is.
    """
    with transaction.atomic():
        before = Source.objects.filter(pk=source.pk).first()
        if before is not None and (before.url, before.kind) != (source.url, source.kind):
            # What the old address said about itself means nothing for the new one.
            source.etag = source.last_modified = source.last_error = ""
            source.retry_not_before, source.consecutive_failures = None, 0
        source.save()
        ensure_extraction_job(actor=actor)
        definition: dict[str, Any] = {
            "name": f"Scrape {source.name}"[:255],
            "trigger": {"type": "interval", "seconds": int(source.interval.total_seconds())},
            "description": f"Fetch {source.url} and store the documents that changed.",
        }
        job = Job.objects.filter(pk=source.job_id).first()
        if job is None:
            return jobs.create(
                task=SCRAPE_TASK,
                id=source.job_id,
                kwargs={"source_id": source.pk},
                actor=actor,
                source=origin,
                paused=paused,
                **definition,
            )
        changes = {name: definition[name] for name in ("name", "description") if getattr(job, name) != definition[name]}
        if _interval_of(job.trigger) != source.interval:
            changes["trigger"] = definition["trigger"]
        return jobs.update(job=job, actor=actor, **changes) if changes else job


def remove_source(*, source: Source, actor: str = "") -> None:
    """Delete a source with its pages and its job. Its documents stay, without a source."""
    with transaction.atomic():
        job = Job.objects.filter(pk=source.job_id).first()
        if job is not None:
            jobs.remove(job=job, actor=actor)
        source.delete()


def scrape_now(*, source: Source, actor: str = "") -> Run:
    """
    Ask for a run of the source's job at once, whatever its trigger says.

    :raises JobNotFound: somebody deleted the job; saving the source makes it anew
    """
    return jobs.run_now(job=_job_of(source), actor=actor)


def ensure_extraction_job(*, actor: str = "") -> Job:
    """Create the job that takes the text out of fetched pages, every minute, unless it exists. It is never changed."""
    job = Job.objects.filter(pk=EXTRACT_JOB_ID).first()
    if job is not None:
        return job
    return jobs.create(
        task=EXTRACT_TASK,
        id=EXTRACT_JOB_ID,
        name="Take the text out of fetched pages",
        description="Turns stored pages into documents, in a process of its own.",
        trigger={"type": "interval", "minutes": 1},
        actor=actor,
        replace_existing=True,
    )


def scrape_source(*, source_id: int, now: Callable[[], datetime] = timezone.now) -> ScrapeSummary:
    """
    Fetch one source and store what changed.

    A source whose server asked for a pause is not asked before its end; the summary says so. One that is gone (410)
    gets its job paused, with the reason.

    :raises SourceNotFound: nothing was done
    :raises ScrapingError: what is wrong with the answer; it is noted at the source, and nothing stored is lost
    :raises RequestFailed: likewise, when there was no usable answer
    """
    source = Source.objects.filter(pk=source_id).first()
    if source is None:
        raise SourceNotFound(source_id=source_id)
    started_at = now()
    if source.retry_not_before is not None and source.retry_not_before > started_at:
        return ScrapeSummary(
            retry_not_before=source.retry_not_before,
            problems=(f"Nothing was asked: {source.url} wants to be left alone until then.",),
        )
    try:
        with Fetcher(now=now, before_waiting=_give_connection_back) as fetcher:
            scraped = Scrape(source=source, fetcher=fetcher, now=now).run()
    except (ScrapingError, RequestFailed) as error:
        _record_failure(source, error, started_at=started_at)
        raise
    _record_success(source, scraped, started_at=started_at)
    return scraped.summary


def extract_documents(*, limit: int = 500, now: Callable[[], datetime] = timezone.now) -> ExtractionSummary:
    """Take the text out of stored pages, oldest first, at most ``limit`` of them, and store the documents."""
    counts: Counter[str] = Counter()
    chosen = list(Page.objects.unextracted().values_list("id", flat=True)[:limit])
    for page_id in chosen:
        # Counted before the work: a page that kills its process does not get to do so for ever.
        tried = Page.objects.unextracted().filter(pk=page_id)
        if tried.order_by().update(extraction_attempts=F("extraction_attempts") + 1):
            counts[_extract(Page.objects.get(pk=page_id), now=now)] += 1
    return ExtractionSummary(**counts)


def _interval_of(trigger: Mapping[str, Any]) -> timedelta | None:
    """The length of an interval trigger, in whatever units it is stored; ``None`` for any other trigger."""
    if trigger.get("type") != "interval":
        return None
    return timedelta(**{unit: trigger[unit] for unit in _UNITS if unit in trigger})


def _extract(page: Page, *, now: Callable[[], datetime]) -> str:
    """Take the text out of one page and return what to count it as."""
    found = extraction.extract(
        content=bytes(page.body or b""), url=page.final_url or page.url, content_type=page.content_type
    )
    hints = page.hints
    content = Content(
        title=hints.get("title") or found.title,
        authors=tuple(hints.get("authors") or found.authors),
        summary=hints.get("summary") or found.summary,
        text=found.text,
        language=found.language or hints.get("language", ""),
        published_at=text.plausible(text.iso_date(hints.get("published_at", ""))) or found.published_at,
    )
    if not content.title and not content.text:
        _mark_extracted(page, document_id=page.document_id, now=now())
        return "skipped"
    with transaction.atomic():
        # An entry of a feed has its document already, under the address by which the feed knows it.
        url = page.url if page.document_id is not None and page.hints else found.canonical_url
        stored = documents.upsert(source_id=page.source_id, url=url, content=content, now=now())
        _mark_extracted(page, document_id=stored.document_id, now=now())
    return "skipped" if stored.outcome is Outcome.FOREIGN else stored.outcome.value


def _mark_extracted(page: Page, *, document_id: int | None, now: datetime) -> None:
    """Unless another body came meanwhile, whose turn is still to come."""
    Page.objects.filter(pk=page.pk, body_hash=page.body_hash).update(extracted_at=now, document_id=document_id)


def _give_connection_back() -> None:
    """A connection of the pool is worth more to others than to a thread that waits for the network."""
    if not connection.in_atomic_block:
        connection.close()


def _record_success(source: Source, scraped: Scraped, *, started_at: datetime) -> None:
    # Only if its address is still the one that was asked.
    Source.objects.filter(pk=source.pk, url=source.url, kind=source.kind).update(
        etag=scraped.etag,
        last_modified=scraped.last_modified,
        last_attempt_at=started_at,
        last_success_at=started_at,
        last_error="",
        consecutive_failures=0,
        retry_not_before=scraped.summary.retry_not_before,
    )


def _record_failure(source: Source, error: Exception, *, started_at: datetime) -> None:
    Source.objects.filter(pk=source.pk, url=source.url, kind=source.kind).update(
        last_attempt_at=started_at,
        last_error=text.storable(error, most=2000),
        consecutive_failures=F("consecutive_failures") + 1,
        retry_not_before=error.until_at if isinstance(error, AskedToWait) else None,
    )
    if isinstance(error, PageGone):
        _pause_job(source, reason=str(error))


def _pause_job(source: Source, *, reason: str) -> None:
    try:
        jobs.pause(job=_job_of(source), actor="scraping", reason=reason)
    except (AlreadyPaused, JobNotFound):
        return  # Somebody was faster, or scraped it without a job: there is nothing left to pause.


def _job_of(source: Source) -> Job:
    job = Job.objects.filter(pk=source.job_id).first()
    if job is None:
        raise JobNotFound(phrase("“{name}” has no job; save the source to make it anew.", name=source.name))
    return job
