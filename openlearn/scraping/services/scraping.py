"""One scrape of one source, and what it leaves behind at the source."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone

from openlearn.scraping import addresses, sentences, text
from openlearn.scraping.errors import AskedToWait, MostPagesFail, PageGone, ScrapingError, SourceNotFound
from openlearn.scraping.fetching import access
from openlearn.scraping.fetching.fetcher import Fetcher, Guest
from openlearn.scraping.models import Source
from openlearn.scraping.scrapes import pace
from openlearn.scraping.scrapes.scrape import scrape
from openlearn.scraping.scrapes.summary import Scraped, ScrapeSummary
from openlearn.scraping.services.sources import job_of
from scheduler.errors import AlreadyPaused, InvalidArguments, JobNotFound, RequestFailed
from scheduler.messages import phrase
from scheduler.services import jobs


def scrape_source(*, source_id: int, now: Callable[[], datetime] = timezone.now) -> ScrapeSummary:
    """
    Fetch one source and store what changed.

    A source whose server asked for a pause is not requested before its end, and the summary reports the pause. One that
    is gone (410) gets its job paused, with the reason.

    :raises SourceNotFound: the source was deleted
    :raises MostPagesFail: everything was stored, but more than half of its pages cannot be fetched
    :raises ScrapingError: the answer has a fault, which is noted at the source. Stored material stays
    :raises RequestFailed: as above, without a usable answer
    """
    source = Source.objects.filter(pk=source_id).first()
    if source is None:
        raise SourceNotFound(source_id=source_id)
    started_at = now()
    if (resting := _resting(source, started_at)) is not None:
        return resting
    try:
        with Fetcher(now=now, guest=_guest(source), before_waiting=_release_connection) as fetcher:
            scraped = scrape(source=source, fetcher=fetcher, now=now)
    except (ScrapingError, RequestFailed, InvalidArguments) as error:
        _record_failure(source, error, started_at=started_at)
        raise
    _record_success(source, scraped, started_at=started_at)
    return scraped.summary


def _resting(source: Source, now: datetime) -> ScrapeSummary | None:
    """Return the summary of a scrape that makes no requests, or ``None`` if the source may be requested."""
    if source.retry_not_before is not None and source.retry_not_before > now:
        sentence = phrase("Nothing was requested: {url} asks for no requests until then.", url=source.url)
        return ScrapeSummary(retry_not_before=source.retry_not_before, problems=(sentence,))
    if source.rest_until is not None and source.rest_until > now:
        reason = sentences.from_data(source.rest_reason)
        return ScrapeSummary(rest_until=source.rest_until, problems=(reason,))
    return None


def _guest(source: Source) -> Guest:
    return Guest(
        origin=addresses.origin_of(addresses.canonical(url=source.url) or source.url),
        headers=access.headers_of(source),
        obeys_robots=not source.robots_agreement.strip(),
    )


def _release_connection() -> None:
    """A connection of the pool is worth more to others than to a thread that waits for the network."""
    if not connection.in_atomic_block:
        connection.close()


def _record_success(source: Source, scraped: Scraped, *, started_at: datetime) -> None:
    """:raises MostPagesFail: everything was recorded"""
    summary = scraped.summary
    source.pages_known, source.pages_failing = scraped.pages_known, summary.failing
    rest = pace.rest(source=source, scraped=scraped, now=started_at)
    failing = MostPagesFail(failing=summary.failing, known=scraped.pages_known) if source.mostly_fails else None
    _update(
        source,
        etag=scraped.etag,
        last_modified=scraped.last_modified,
        cursor=scraped.cursor,
        moved_to=scraped.moved_to,
        last_attempt_at=started_at,
        last_success_at=started_at if failing is None else source.last_success_at,
        last_error=str(failing or ""),
        failure=sentences.as_data(failing.message) if failing else {},
        consecutive_failures=F("consecutive_failures") + 1 if failing else 0,
        retry_not_before=summary.retry_not_before,
        rest_until=rest.until,
        rest_reason=sentences.as_data(rest.reason) if rest.until else {},
        quiet_seconds=rest.quiet_seconds,
        pages_known=scraped.pages_known,
        pages_failing=summary.failing,
        problems=[sentences.as_data(problem) for problem in summary.problems],
    )
    if failing is not None:
        raise failing


def _record_failure(source: Source, error: Exception, *, started_at: datetime) -> None:
    _update(
        source,
        last_attempt_at=started_at,
        last_error=text.storable(error, most=2000),
        failure=sentences.as_data(getattr(error, "message", "") or text.storable(error, most=2000)),
        consecutive_failures=F("consecutive_failures") + 1,
        retry_not_before=error.until_at if isinstance(error, AskedToWait) else None,
    )
    if isinstance(error, PageGone):
        _pause_job(source, reason=str(error))


def _update(source: Source, **values: Any) -> None:
    """Only if its address is still the one that was requested."""
    Source.objects.filter(pk=source.pk, url=source.url, kind=source.kind).update(**values)


def _pause_job(source: Source, *, reason: str) -> None:
    try:
        jobs.pause(job=job_of(source), actor="scraping", reason=reason)
    except (AlreadyPaused, JobNotFound):
        return  # Somebody was faster, or scraped it without a job: there is nothing left to pause.
