"""What tests ask a scrape."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from openlearn.scraping import services


def scrape(source):
    return services.scrape_source(source_id=source.pk)


def writes(source) -> list[str]:
    """The statements of a scrape that change anything but the source's own row."""
    with CaptureQueriesContext(connection) as queries:
        scrape(source)
    changing = ("INSERT", "UPDATE", "DELETE")
    statements = [query["sql"] for query in queries.captured_queries if query["sql"].startswith(changing)]
    return [statement for statement in statements if not statement.startswith('UPDATE "scraping_source"')]


def counts(summary) -> tuple[int, int, int, int, int]:
    return summary.new, summary.changed, summary.unchanged, summary.skipped, summary.failed
