"""
Read the public test suites of feeds, sitemaps, robots files, pages and addresses: no crash, no hang.

    python -m tests.public_suites feeds=FOLDER sitemaps=FOLDER robots=FOLDER pages=FOLDER addresses=FOLDER …

Each folder is a checkout of a suite, or a part of it; ``docs/evidence/README.md`` names those that were read. A file
that is refused with a named error counts as refused, any other exception as a crash, and more than 20 seconds of
processor time as a hang. Prints one line of JSON for each folder, and ends with an error after a crash or a hang.
"""

from __future__ import annotations

import io
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

_SECONDS = 20
_MOST_BYTES = 10 * 1024 * 1024
_ENDINGS = {
    "feeds": (".xml", ".rss", ".rdf", ".atom", ".json"),
    "sitemaps": (".xml", ".gz", ".txt", ".rss", ".atom"),
    "robots": (),
    "pages": (".html", ".htm", ".xhtml"),
    "addresses": (".csv", ".txt"),
}
"""By kind; empty: every file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What became of one file."""

    file: str
    outcome: str
    """``read``, the code of a named error, ``crash`` or ``hang``."""

    items: int = 0
    seconds: float = 0.0
    detail: str = ""


class TakesTooLong(Exception):
    """The limit of processor time is reached."""


def main(arguments: list[str]) -> int:
    bad = 0
    for argument in arguments:
        kind, _, folder = argument.partition("=")
        if kind not in _ENDINGS or not folder or not Path(folder).is_dir():
            print(f"{argument!r}: write a kind ({', '.join(_ENDINGS)}), “=” and a folder that exists.", file=sys.stderr)
            return 2
        report = _report(kind, Path(folder))
        bad += len(report["crashes"]) + len(report["hangs"])
        print(json.dumps(report, ensure_ascii=False))
    return 1 if bad or not arguments else 0


def _report(kind: str, folder: Path) -> dict[str, Any]:
    with ProcessPoolExecutor(max_workers=2, initializer=_set_up) as processes:
        found = list(processes.map(_read, [(kind, str(path)) for path in _files(kind, folder)], chunksize=16))
    outcomes = Counter(read.outcome for read in found)
    return {
        "kind": kind,
        "suite": folder.name,
        "files": len(found),
        "items": sum(read.items for read in found),
        "outcomes": dict(outcomes.most_common()),
        "crashes": [f"{read.file}: {read.detail}" for read in found if read.outcome == "crash"][:20],
        "hangs": [read.file for read in found if read.outcome == "hang"][:20],
        "slowest_seconds": round(max((read.seconds for read in found), default=0.0), 2),
    }


def _files(kind: str, folder: Path) -> Iterable[Path]:
    endings = _ENDINGS[kind]
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size <= _MOST_BYTES and (not endings or path.suffix.lower() in endings):
            yield path


def _set_up() -> None:
    import django

    django.setup()
    signal.signal(signal.SIGPROF, _end)


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise TakesTooLong


def _read(work: tuple[str, str]) -> Read:
    from openlearn.scraping.errors import ScrapingError

    kind, name = work
    content = Path(name).read_bytes()
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    began = time.process_time()
    try:
        items, outcome, detail = _READERS[kind](content), "read", ""
    except ScrapingError as error:
        items, outcome, detail = 0, error.code, ""
    except TakesTooLong:
        items, outcome, detail = 0, "hang", ""
    except Exception as error:  # noqa: BLE001 - a crash is what is looked for
        items, outcome, detail = 0, "crash", f"{type(error).__name__}: {error}"[:300]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return Read(file=name, outcome=outcome, items=items, seconds=time.process_time() - began, detail=detail)


def _feed(content: bytes) -> int:
    from openlearn.scraping.reading import feeds

    feeds.check(content=content, url="http://learn.example/feed")
    return len(feeds.read(content=content, url="http://learn.example/feed").entries)


def _sitemap(content: bytes) -> int:
    from openlearn.scraping.errors import MalformedSitemap
    from openlearn.scraping.reading.sitemaps import Sitemap

    sitemap = Sitemap(file=io.BytesIO(content), url="http://learn.example/sitemap.xml")
    if sitemap.is_feed:
        return _feed(content)
    number = sum(1 for _ in sitemap)
    if sitemap.problem and not number:
        raise MalformedSitemap(url="http://learn.example/sitemap.xml", reason=sitemap.problem)
    return number


def _robots(content: bytes) -> int:
    from protego import Protego

    from openlearn.scraping import charsets
    from openlearn.scraping.fetching.robots import Rules

    parsed = Protego.parse(charsets.decode(content=content[: 500 * 1024], charset="utf-8"))
    rules = Rules(robots_url="http://learn.example/robots.txt", parsed=parsed)
    for path in ("/", "/lesson?id=1", "/a%2fb/ü", "/" + "x" * 2_000):
        rules.allows(url="http://learn.example" + path, agent="OpenLearnBot")
    rules.delay_seconds(agent="OpenLearnBot")
    return len(rules.sitemaps)


def _page(content: bytes) -> int:
    from openlearn.scraping.reading import articles

    return len(articles.extract(content=content, url="http://learn.example/page", content_type="text/html").text)


def _addresses(content: bytes) -> int:
    from openlearn.scraping import addresses

    number = 0
    for line in content.decode("utf-8", errors="replace").splitlines():
        for url in line.split(","):
            number += addresses.canonical(url=url.strip('" '), base="http://learn.example/a/b") is not None
            addresses.variants(addresses.canonical(url=url, base="http://learn.example/") or "http://learn.example/")
    return number


_READERS: dict[str, Callable[[bytes], int]] = {
    "feeds": _feed, "sitemaps": _sitemap, "robots": _robots, "pages": _page, "addresses": _addresses,
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
