"""What the scheduler may run of this app."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from openlearn.scraping import services
from scheduler import task


@task(name=services.SCRAPE_TASK, timeout=timedelta(minutes=10), idempotent=True)
def scrape_source(*, source_id: Annotated[int, Field(ge=1)]) -> dict[str, Any]:
    """Fetch one source and store the documents that changed."""
    return services.scrape_source(source_id=source_id).as_dict()


@task(name=services.EXTRACT_TASK, executor="processpool", timeout=timedelta(minutes=10), idempotent=True)
def extract_documents(*, limit: Annotated[int, Field(ge=1, le=10_000)] = 500) -> dict[str, int]:
    """Turn fetched pages into title, text, language and dates."""
    return services.extract_documents(limit=limit).as_dict()
