"""The memory that the reading of a sitemap of the largest size takes."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any, BinaryIO, cast

_ENTRY = "<url><loc>https://learn.example/lessons/and/more/{}</loc><lastmod>2026-01-01</lastmod></url>\n"


def measure(number: int | None) -> dict[str, Any]:
    from openlearn.scraping.reading.sitemaps import Sitemap

    size = (number or 50) * 2**20
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"<urlset>")
        written = 0
        while file.tell() < size - 1000:
            file.write("".join(_ENTRY.format(written + item) for item in range(5)).encode())
            written += 5
        file.write(b"</urlset>")
        file.seek(0)
        before = peak = resident_mib(os.getpid())
        began, found = time.perf_counter(), 0
        for _ in Sitemap(file=cast("BinaryIO", file), url="https://learn.example/map"):
            found += 1
            if found % 10_000 == 0:
                peak = max(peak, resident_mib(os.getpid()))
        took = time.perf_counter() - began
    assert found == written
    return {"mib": size // 2**20, "addresses": found, "seconds": round(took, 1), "adds_mib": round(peak - before, 1)}


def resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
