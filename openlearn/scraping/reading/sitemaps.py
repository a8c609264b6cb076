"""Read sitemaps and sitemap indexes, as sitemaps.org describes them: XML, or plain text with one address a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from lxml import etree

from openlearn.scraping import addresses, dates
from openlearn.scraping.errors import AnotherKind, MalformedSitemap
from openlearn.scraping.reading import kinds
from openlearn.scraping.reading.kinds import Found
from openlearn.scraping.reading.xml_stream import XmlStream
from scheduler.messages import phrase

MOST_BYTES = 50 * 1024 * 1024
"""The largest sitemap by the standard, unpacked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    url: str
    changed_at: datetime | None
    """The time in ``lastmod``, or ``None`` if it cannot be read."""

    is_sitemap: bool = False
    """Another sitemap, which an index names."""


class Sitemap:
    """One sitemap, read piece by piece: iterate it once, then look at the counts."""

    def __init__(self, *, file: BinaryIO, url: str, charset: str = "", most_bytes: int = MOST_BYTES) -> None:
        """
        :raises AnotherKind: it is a page, a list of feeds or a repository
        :raises MalformedSitemap: its format is unknown
        """
        self._url = url
        self._stream = XmlStream(file=file, charset=charset, most_bytes=most_bytes)
        self._found = kinds.recognise(self._stream.head)
        self.skipped = 0
        """Number of entries without a valid address of a page."""

        self.count = 0
        if self._found in {Found.SITEMAP, Found.ADDRESSES, Found.FEED, Found.JSON_FEED}:
            return
        if advice := kinds.advice(self._found, wanted="sitemap"):
            raise AnotherKind(url=url, advice=advice)
        reason = (
            phrase("it is empty") if not self._stream.head.strip() else phrase("it has no <urlset> or <sitemapindex>")
        )
        raise MalformedSitemap(url=url, reason=self._stream.problem or reason)

    @property
    def is_feed(self) -> bool:
        """Return whether it is RSS, Atom or JSON Feed, as the standard allows. Iterating then yields no entries."""
        return self._found in {Found.FEED, Found.JSON_FEED}

    @property
    def problem(self) -> str:
        """The fault of a sitemap that could be read all the same. Empty for a valid one."""
        return self._stream.problem

    @property
    def is_incomplete(self) -> bool:
        return self._stream.is_incomplete

    def __iter__(self) -> Iterator[Location]:
        if self._found is Found.ADDRESSES:
            found = self._from_lines()
        elif self._found is Found.SITEMAP:
            found = self._from_elements()
        else:
            return
        for location in found:
            if location is None:
                self.skipped += 1
            else:
                self.count += 1
                yield location

    def _from_lines(self) -> Iterator[Location | None]:
        for line in self._stream.lines():
            if line.strip():
                url = addresses.canonical(url=line.strip(), base=self._url)
                yield None if url is None else Location(url=url, changed_at=None)

    def _from_elements(self) -> Iterator[Location | None]:
        for element in self._stream.elements("url", "sitemap"):
            yield _location(element, self._url)


def _location(element: Any, base: str) -> Location | None:
    values: dict[str, str] = {}
    for child in element:
        if isinstance(child.tag, str):
            values.setdefault(etree.QName(child).localname, "".join(child.itertext()))
    written = values.get("loc", "").strip()
    url = addresses.canonical(url=written, base=base) if written else None
    if url is None:
        return None
    is_sitemap = etree.QName(element).localname == "sitemap"
    return Location(url=url, changed_at=dates.w3c(values.get("lastmod", "")), is_sitemap=is_sitemap)
