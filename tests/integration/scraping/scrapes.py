"""What tests ask a scrape."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from openlearn.scraping import services

_POLITENESS = ('"scraping_source"', '"scraping_robotsfile"', '"scraping_host"', "scraping_host")


def scrape(source):
    return services.scrape_source(source_id=source.pk)


def writes(source) -> list[str]:
    """The statements of a scrape that change anything but the source's own row, and what is known of its host."""
    with CaptureQueriesContext(connection) as queries:
        scrape(source)
    statements = [query["sql"] for query in queries.captured_queries]
    changing = [sql for sql in statements if sql.startswith(("INSERT", "UPDATE", "DELETE", "WITH"))]
    return [sql for sql in changing if not any(name in sql.partition(" SET ")[0][:60] for name in _POLITENESS)]


def counts(summary) -> tuple[int, int, int, int, int]:
    return summary.new, summary.changed, summary.unchanged, summary.skipped, summary.failed
