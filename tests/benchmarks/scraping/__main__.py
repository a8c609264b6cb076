"""
The figures of scraping on the machine at hand: ``python -m tests.benchmarks.scraping PART [--record FILE]``.

* ``documents``: entries of feeds that are unchanged, changed and new, a second, beside 1,000,000 stored documents.
* ``extraction``: fetched pages whose text is extracted and stored, a second, from end to end, by two processes.
* ``sitemap``: what the reading of a sitemap of 50 MiB adds to the memory.
* ``sources``: 10,000 sources on two nodes: how late they are, how far apart the requests to a host, and the memory.

Each prints its figures as JSON. ``--record`` writes them into a file as well, beside those of the other parts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.scraping import documents, extraction, sitemap, sources

PARTS: dict[str, Callable[[int | None], dict[str, Any]]] = {
    "documents": documents.measure,
    "extraction": extraction.measure,
    "sitemap": sitemap.measure,
    "sources": sources.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--number", type=int, help="of documents, pages, MiB or sources, if not the usual one")
    parser.add_argument("--record", type=Path)
    options = parser.parse_args()
    figures = {
        "command": f"python -m tests.benchmarks.scraping {options.part}",
        "at": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1),
        **PARTS[options.part](options.number),
    }
    json.dump(figures, sys.stdout, indent=2)
    print()
    if options.record is not None:
        known = json.loads(options.record.read_text()) if options.record.exists() else {}
        options.record.write_text(json.dumps({**known, options.part: figures}, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
