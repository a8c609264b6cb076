"""Fetched pages, from their bodies in the table to stored documents, by the service that the job calls."""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks import scratch

_SENTENCE = "Lesson {number} explains in part {part} how a ledger counts what should have happened, and what did not. "


def measure(number: int | None) -> dict[str, Any]:
    pages = number or 3_000
    with scratch.database():
        from openlearn.scraping.models import Document
        from openlearn.scraping.reading import reader_process
        from openlearn.scraping.services import extract_documents

        _fill(pages)
        extract_documents(limit=8)  # the readers have started
        began = time.perf_counter()
        summary = extract_documents(limit=pages)
        took = time.perf_counter() - began
        reader_process._readers.close()
        assert summary.new == pages - 8, summary
        return {
            "pages": summary.new,
            "kib_of_a_page": round(len(page_of(1)) / 1024, 1),
            "words_of_a_document": len(Document.objects.order_by("pk")[0].text.split()),
            "pages_per_second_end_to_end": round(summary.new / took, 1),
        }


def _fill(number: int) -> None:
    from django.utils import timezone

    from openlearn.scraping.models import Page, Source

    source = Source.objects.create(name="Benchmark", url="https://learn.example/sitemap.xml", kind="sitemap")
    now = timezone.now()
    for start in range(0, number, 500):
        Page.objects.bulk_create(
            Page(
                source=source, url=f"https://learn.example/lessons/{item}", body=page_of(item), body_hash=str(item),
                content_type="text/html; charset=utf-8", fetched_at=now,
            )
            for item in range(start, min(start + 500, number))
        )  # fmt: skip


def page_of(number: int) -> bytes:
    """A page as a content management system makes it: navigation, metadata, headings, lists, a table, a footer."""
    parts = "".join(
        f"<h2>Part {part} of {number}</h2><p>{_SENTENCE.format(number=number * 31 + part, part=part) * 8}</p>"
        f"<ul><li>one of {number}</li><li>two</li></ul>"
        for part in range(25)
    )
    links = "".join(f"<li><a href='/lessons/{item}'>Lesson {item}</a></li>" for item in range(40))
    return (
        f"<!doctype html><html lang='en'><head><title>Lesson {number}</title>"
        "<meta name='author' content='Ada Lovelace'><meta name='description' content='How a ledger counts.'>"
        "<meta property='article:published_time' content='2026-03-01T10:00:00+00:00'>"
        f"<link rel='canonical' href='https://learn.example/lessons/{number}'></head><body><nav><ul>{links}</ul></nav>"
        f"<article><h1>Lesson {number}</h1>{parts}<table><tr><td>a</td><td>b</td></tr></table></article>"
        "<footer>© 2026 Example</footer></body></html>"
    ).encode()
