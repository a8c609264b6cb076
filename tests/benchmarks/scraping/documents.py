"""Entries of feeds beside many stored documents: as a scrape stores them, 1,000 at a time."""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks import scratch

_ENTRIES = 10_000
_FILL = """
    INSERT INTO scraping_document (source_id, url, title, authors, summary, text, language, content_hash, first_seen_at,
                                   changed_at)
    SELECT %(source)s, 'https://learn.example/lessons/' || n, 'Lesson ' || n, '[]', '', '', '',
           encode(sha256(convert_to('{"authors": [], "language": "", "published_at": null, "summary": "", "text": "", '
                                    || '"title": "Lesson ' || n || '"}', 'UTF8')), 'hex'), now(), now()
      FROM generate_series(1, %(number)s) AS n;
    INSERT INTO scraping_page (source_id, url, guid, marker, document_id, hints, is_due, failures, last_error, etag,
                               last_modified, final_url, content_type, body_hash, extraction_attempts)
    SELECT %(source)s, document.url, 'guid-' || split_part(document.url, '/', 5),
           encode(sha256(convert_to('["' || document.title || '", [], "", "", "", "None"]', 'UTF8')), 'hex'),
           document.id, '{}', false, 0, '',
           '', '', '', '', '', 0
      FROM scraping_document AS document;
    ANALYZE scraping_document, scraping_page
"""


def measure(number: int | None) -> dict[str, Any]:
    stored = number or 1_000_000
    with scratch.database():
        from django.db import connection

        from openlearn.scraping.models import Source

        source = Source.objects.create(name="Benchmark", url="https://learn.example/feed", page_limit=0)
        began = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute(_FILL, {"source": source.pk, "number": stored})
        filled = time.perf_counter() - began
        return {
            "stored_documents": stored,
            "filled_in_seconds": round(filled, 1),
            "unchanged_entries_per_second": _rate(source, range(1, stored, max(1, stored // _ENTRIES))),
            "changed_entries_per_second": _rate(source, range(7, stored, max(1, stored // 2_000)), more=", again"),
            "new_entries_per_second": _rate(source, range(stored + 1, stored + 2_001)),
        }


def _rate(source: Any, numbers: range, *, more: str = "") -> float:
    """Store these entries as a scrape does, and return how many it took in a second."""
    from django.utils import timezone

    from openlearn.scraping.fetching.fetcher import Fetcher
    from openlearn.scraping.reading.feeds import Entry
    from openlearn.scraping.scrapes.context import Context
    from openlearn.scraping.scrapes.feed_scrape import store_entries

    entries = tuple(
        Entry(
            url=f"https://learn.example/lessons/{number}",
            guid=f"guid-{number}",
            title=f"Lesson {number}{more}",
            authors=(),
            summary="",
            text="",
            language="",
            published_at=None,
            has_page=True,
        )
        for number in numbers
    )
    with Fetcher(now=timezone.now) as fetcher:
        context = Context(source=source, fetcher=fetcher, now=timezone.now)
        began = time.perf_counter()
        for start in range(0, len(entries), 1_000):
            store_entries(context, entries[start : start + 1_000])
        took = time.perf_counter() - began
    assert context.tally.counts.total() == len(entries), context.tally.counts
    assert not context.tally.counts["failed"], context.tally.problems
    return round(len(entries) / took, 1)
