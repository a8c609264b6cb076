"""What people and jobs ask of scraping: each is one call."""

from openlearn.scraping.services.extraction import ExtractionSummary, extract_documents
from openlearn.scraping.services.scraping import scrape_source
from openlearn.scraping.services.sources import (
    EXTRACT_JOB_ID,
    EXTRACT_TASK,
    SCRAPE_TASK,
    ensure_extraction_job,
    remove_source,
    retry_pages,
    save_source,
    scrape_now,
    take_new_address,
)

__all__ = [
    "EXTRACT_JOB_ID",
    "EXTRACT_TASK",
    "SCRAPE_TASK",
    "ExtractionSummary",
    "ensure_extraction_job",
    "extract_documents",
    "remove_source",
    "retry_pages",
    "save_source",
    "scrape_now",
    "scrape_source",
    "take_new_address",
]
