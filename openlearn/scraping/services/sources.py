"""Sources and their jobs."""

from __future__ import annotations

from django.db.models import QuerySet

from openlearn.scraping.errors import AddressTaken
from openlearn.scraping.models import Listing, Page, Source
from openlearn.scraping.services import source_jobs
from openlearn.scraping.shipped import EXTRACT_TASK
from scheduler.errors import AlreadyPaused, JobNotFound
from scheduler.messages import phrase
from scheduler.models import Job, Run
from scheduler.services import jobs, transactions

EXTRACT_JOB_ID = "scraping.extract_documents"


def save_source(
    *, source: Source, actor: str = "", origin: str = "code", paused: bool = False, scrape: bool = False
) -> Job:
    """
    Save a source and create or update the job that scrapes it, in one transaction.

    ``origin`` is the way in: ``admin``, ``api`` or ``code``. ``paused`` is for a new job. An existing one stays paused
    or active. A new source that is not paused is scraped at once if ``scrape`` is true.
    """
    with transactions.atomic():
        before = Source.objects.filter(pk=source.pk).first()
        if before is not None and (before.url, before.kind) != (source.url, source.kind):
            _forget_address(source)
        source.save()
        ensure_extraction_job(actor=actor)
        job, is_new = source_jobs.save(source=source, before=before, actor=actor, origin=origin, paused=paused)
        if is_new and scrape and not paused:
            jobs.run_now(job=job, actor=actor)
        return job


def remove_source(*, source: Source, actor: str = "") -> None:
    """Delete a source with its pages and its job. Its documents stay, without a source."""
    with transactions.atomic():
        job = Job.objects.filter(pk=source.job_id).first()
        if job is not None:
            jobs.remove(job=job, actor=actor)
        source.delete()


def scrape_now(*, source: Source, actor: str = "") -> Run:
    """
    Request a run of the source's job at once, regardless of its trigger and its pace.

    :raises JobNotFound: somebody deleted the job, and saving the source creates it again
    """
    with transactions.atomic():
        Source.objects.filter(pk=source.pk).update(rest_until=None)
        return jobs.run_now(job=job_of(source), actor=actor)


def ensure_extraction_job(*, actor: str = "") -> Job:
    """Create the job that extracts the text of fetched pages, every minute, unless it exists. It is never changed."""
    job = Job.objects.filter(pk=EXTRACT_JOB_ID).first()
    if job is not None:
        return job
    return jobs.create(
        task=EXTRACT_TASK,
        id=EXTRACT_JOB_ID,
        name="Extract the text of fetched pages",
        description="Turns stored pages into documents, in a process of its own.",
        trigger={"type": "interval", "minutes": 1},
        actor=actor,
        replace_existing=True,
    )


def pause_sources(*, sources: QuerySet[Source], actor: str = "") -> int:
    """Pause the jobs of sources. Returns how many were active."""
    number = 0
    for source in sources:
        job = Job.objects.filter(pk=source.job_id).first()
        if job is None:
            continue
        try:
            jobs.pause(job=job, actor=actor)
        except AlreadyPaused:
            continue
        number += 1
    return number


def retry_pages(*, pages: QuerySet[Page]) -> int:
    """Let failing pages be requested by the next scrape of their source. Returns how many there were."""
    return pages.filter(failures__gt=0).update(retry_at=None)


def take_new_address(*, source: Source, actor: str = "") -> Source:
    """
    Give the source the address to which its own one redirects for good.

    :raises AddressTaken: another source has it, and this one is unchanged
    """
    with transactions.atomic():
        source = Source.objects.select_for_update().get(pk=source.pk)
        if not source.moved_to:
            return source
        if Source.objects.filter(url=source.moved_to).exclude(pk=source.pk).exists():
            raise AddressTaken(url=source.moved_to)
        source.url = source.moved_to
        save_source(source=source, actor=actor)
    return source


def _forget_address(source: Source) -> None:
    """Forget the facts about the old address, which do not hold for the new one."""
    source.etag = source.last_modified = source.last_error = source.moved_to = ""
    source.retry_not_before, source.consecutive_failures = None, 0
    source.rest_until, source.rest_reason, source.quiet_seconds = None, {}, None
    source.cursor, source.problems = {}, []
    Listing.objects.filter(source=source).delete()


def job_of(source: Source) -> Job:
    """:raises JobNotFound: somebody deleted it"""
    job = Job.objects.filter(pk=source.job_id).first()
    if job is None:
        raise JobNotFound(phrase("“{name}” has no job. Save the source to create one.", name=source.name))
    return job
