"""
Services of scraping for people and jobs, one call each.

Services and the libraries that fetch and read pages are imported at the first use: most processes never scrape.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openlearn.scraping.services.discovery import Examination, examine
    from openlearn.scraping.services.extraction import ExtractionSummary, extract_documents
    from openlearn.scraping.services.health import SourceHealth, source_health
    from openlearn.scraping.services.scraping import scrape_source
    from openlearn.scraping.services.source_jobs import tier_triggers
    from openlearn.scraping.services.sources import (
        EXTRACT_JOB_ID,
        ensure_extraction_job,
        pause_sources,
        remove_source,
        retry_pages,
        save_source,
        scrape_now,
        take_new_address,
    )
    from openlearn.scraping.services.subscriptions import Imported, export_list, import_list

__all__ = [
    "EXTRACT_JOB_ID",
    "Examination",
    "ExtractionSummary",
    "Imported",
    "SourceHealth",
    "ensure_extraction_job",
    "examine",
    "export_list",
    "extract_documents",
    "import_list",
    "pause_sources",
    "remove_source",
    "retry_pages",
    "save_source",
    "scrape_now",
    "scrape_source",
    "source_health",
    "take_new_address",
    "tier_triggers",
]

_HOMES = {
    "discovery": ("Examination", "examine"),
    "extraction": ("ExtractionSummary", "extract_documents"),
    "health": ("SourceHealth", "source_health"),
    "scraping": ("scrape_source",),
    "source_jobs": ("tier_triggers",),
    "sources": (
        "EXTRACT_JOB_ID",
        "ensure_extraction_job",
        "pause_sources",
        "remove_source",
        "retry_pages",
        "save_source",
        "scrape_now",
        "take_new_address",
    ),
    "subscriptions": ("Imported", "export_list", "import_list"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
