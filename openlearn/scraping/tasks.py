"""The tasks of this app that the scheduler may run."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from django.utils import timezone
from pydantic import Field

from openlearn.scraping import services, shipped
from openlearn.scraping.errors import AskedToWait
from scheduler import Retry, task


@task(name=shipped.SCRAPE_TASK, timeout=timedelta(minutes=10), idempotent=True)
def scrape_source(*, source_id: Annotated[int, Field(ge=1)]) -> dict[str, Any]:
    """Fetch one source and store the documents that changed."""
    try:
        return services.scrape_source(source_id=source_id).as_dict()
    except AskedToWait as error:
        # A moment later than asked: whoever comes on the second may be taken for early.
        raise Retry(str(error), after=error.until_at - timezone.now() + timedelta(seconds=1)) from error


@task(name=shipped.EXTRACT_TASK, executor="processpool", timeout=timedelta(minutes=10), idempotent=True)
def extract_documents(*, limit: Annotated[int, Field(ge=1, le=100_000)] = 10_000) -> dict[str, int]:
    """Turn fetched pages into title, text, language and dates, for as long as one scrape may take."""
    return services.extract_documents(limit=limit).as_dict()
