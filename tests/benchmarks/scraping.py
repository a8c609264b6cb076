"""
The figures of scraping on the machine at hand: ``python -m tests.benchmarks.scraping [--documents N] [--pages N]``.

Prints one line of JSON: unchanged upserts of documents a second beside that many stored ones, pages whose text is
extracted a second by two processes (and by one call in this process, for comparison), and what the reading of a sitemap
of 50 MiB adds to the memory of this process.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, cast

from tests.benchmarks import scratch

_SENTENCE = "Lesson {number} explains in part {part} how a ledger counts what should have happened, and what did not. "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--upserts", type=int, default=2_000)
    parser.add_argument("--pages", type=int, default=400)
    options = parser.parse_args()
    with scratch.database():
        figures = {
            "stored_documents": options.documents,
            "unchanged_upserts_per_second": _upserts(options.documents, options.upserts),
            **_extractions(options.pages),
            "sitemap_50_mib_adds_mib": _sitemap_memory(),
        }
    print(json.dumps(figures))


def _upserts(stored: int, number: int) -> float:
    from django.utils import timezone

    from openlearn.scraping.models import Document, Source
    from openlearn.scraping.storing import documents
    from openlearn.scraping.storing.documents import Content

    now = timezone.now()
    source = Source.objects.create(name="Benchmark", url="https://learn.example/feed")
    for start in range(0, stored, 10_000):
        Document.objects.bulk_create(
            Document(
                source=source,
                url=f"https://learn.example/lessons/{item}",
                title=f"Lesson {item}",
                content_hash=Content(title=f"Lesson {item}").hash,
                first_seen_at=now,
                changed_at=now,
            )
            for item in range(start, min(start + 10_000, stored))
        )
    began = time.perf_counter()
    for item in range(number):
        place = item * max(1, stored // number)
        documents.upsert(
            source_id=source.pk,
            url=f"https://learn.example/lessons/{place}",
            content=Content(title=f"Lesson {place}"),
            now=now,
        )
    return round(number / (time.perf_counter() - began), 1)


def _extractions(number: int) -> dict[str, float]:
    from openlearn.scraping.reading import articles, reader_process

    pages = [_page(item) for item in range(number)]
    articles.extract(content=pages[0], url="https://learn.example/0")
    began = time.perf_counter()
    for page in pages[: number // 4]:
        articles.extract(content=page, url="https://learn.example/page")
    alone = (number // 4) / (time.perf_counter() - began)
    with ThreadPoolExecutor(max_workers=2) as threads:
        read = [threads.submit(_extract, page) for page in pages[:4]]
        assert all(future.result() for future in read)  # the readers have started
        began = time.perf_counter()
        read = [threads.submit(_extract, page) for page in pages]
        assert all(future.result() for future in read)
    together = number / (time.perf_counter() - began)
    reader_process._readers.close()
    return {"pages_per_second_in_process": round(alone, 1), "pages_per_second_two_processes": round(together, 1)}


def _extract(page: bytes) -> str:
    from openlearn.scraping.reading import reader_process

    return reader_process.extract_page(content=page, url="https://learn.example/page", seconds=20).text


def _page(number: int) -> bytes:
    """A page of about 30 kB with navigation, headings, paragraphs, a table and a list."""
    parts = "".join(
        f"<h2>Part {part}</h2><p>{_SENTENCE.format(number=number, part=part) * 8}</p><ul><li>one</li><li>two</li></ul>"
        for part in range(25)
    )
    links = "".join(f"<li><a href='/lessons/{item}'>Lesson {item}</a></li>" for item in range(40))
    return (
        f"<!doctype html><html lang='en'><head><title>Lesson {number}</title></head><body><nav><ul>{links}</ul></nav>"
        f"<article><h1>Lesson {number}</h1>{parts}<table><tr><td>a</td><td>b</td></tr></table></article></body></html>"
    ).encode()


def _sitemap_memory() -> float:
    from openlearn.scraping.reading.sitemaps import MOST_BYTES, Sitemap

    entry = "<url><loc>https://learn.example/lessons/and/more/{}</loc><lastmod>2026-01-01</lastmod></url>\n"
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"<urlset>")
        number = 0
        while file.tell() < MOST_BYTES - 1000:
            file.write("".join(entry.format(number + item) for item in range(5)).encode())
            number += 5
        file.write(b"</urlset>")
        file.seek(0)
        before = _resident_mib()
        peak, found = before, 0
        for _ in Sitemap(file=cast("BinaryIO", file), url="https://learn.example/map"):
            found += 1
            if found % 10_000 == 0:
                peak = max(peak, _resident_mib())
    assert found == number
    return round(peak - before, 1)


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
