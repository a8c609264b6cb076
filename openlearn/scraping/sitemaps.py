"""Read sitemaps and sitemap indexes, as sitemaps.org describes them."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from openlearn.scraping import addresses, text
from openlearn.scraping.errors import MalformedSitemap, ScrapingError
from scheduler.errors import RequestFailed

_ADDRESSES = 50_000
"""Most addresses in one sitemap, by the standard; also the most taken from all that an index names."""

_SITEMAPS = 50
_UNPACKED_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    url: str
    changed_at: datetime | None
    """What ``lastmod`` says; ``None`` if it says nothing that can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitemap:
    locations: tuple[Location, ...]
    """Pages, each once, in order."""

    sitemaps: tuple[Location, ...]
    """Other sitemaps: this one is an index."""

    skipped: int
    """Addresses that are broken, on another host, repeated, or beyond the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What an index and the sitemaps under it name together."""

    locations: tuple[Location, ...]
    skipped: int
    problems: tuple[str, ...]
    """A sentence for each sitemap under the index that could not be read."""


def parse(*, content: bytes, url: str) -> Sitemap:
    """
    Read one sitemap, packed with gzip or not.

    :raises MalformedSitemap: it is no XML, declares a document type, or has another root
    """
    root = _root(_unpack(content, url), url)
    name = etree.QName(root).localname
    if name not in {"urlset", "sitemapindex"}:
        raise MalformedSitemap(url=url, reason=f"its root is <{name}>, not <urlset> or <sitemapindex>")
    found: dict[str, Location] = {}
    skipped = 0
    for element in root:
        if not isinstance(element.tag, str) or etree.QName(element).localname not in {"url", "sitemap"}:
            continue
        location = _location(element, url)
        if location is None or location.url in found or len(found) >= _ADDRESSES:
            skipped += 1
        else:
            found[location.url] = location
    locations = tuple(found.values())
    if name == "sitemapindex":
        return Sitemap(locations=(), sitemaps=locations, skipped=skipped)
    return Sitemap(locations=locations, sitemaps=(), skipped=skipped)


def walk(*, first: Sitemap, url: str, fetch: Callable[[str], bytes]) -> Walk:
    """
    Follow an index to the sitemaps that it names, each once, a bounded number of them.

    ``fetch`` may raise the errors of scraping and of requests: that sitemap is left out, the others are not.
    """
    found = {location.url: location for location in first.locations}
    skipped, problems = first.skipped, []
    waiting, seen = deque(location.url for location in first.sitemaps), {url}
    while waiting:
        place = waiting.popleft()
        if place in seen or len(seen) > _SITEMAPS:
            skipped += 1
            continue
        seen.add(place)
        try:
            sitemap = parse(content=fetch(place), url=place)
        except (ScrapingError, RequestFailed) as error:
            problems.append(str(error))
            continue
        waiting.extend(location.url for location in sitemap.sitemaps)
        skipped += sitemap.skipped
        for location in sitemap.locations:
            if location.url in found or len(found) >= _ADDRESSES:
                skipped += 1
            else:
                found[location.url] = location
    return Walk(locations=tuple(found.values()), skipped=skipped, problems=tuple(problems))


def _location(element: Any, base: str) -> Location | None:
    values = {etree.QName(child).localname: child.text or "" for child in element if isinstance(child.tag, str)}
    address = addresses.canonical(url=values.get("loc", ""), base=base) if values.get("loc", "").strip() else None
    # By the standard a sitemap speaks for its own host only.
    if address is None or addresses.host_of(address) != addresses.host_of(base):
        return None
    return Location(url=address, changed_at=text.iso_date(values.get("lastmod", "")))


def _root(content: bytes, url: str) -> Any:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(content.strip(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MalformedSitemap(url=url, reason=text.line(error, most=300) or "it is empty") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise MalformedSitemap(url=url, reason="it declares a document type, which sitemaps have no use for")
    return root


def _unpack(content: bytes, url: str) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        unpacked = inflate.decompress(content, _UNPACKED_BYTES + 1)
    except zlib.error as error:
        raise MalformedSitemap(url=url, reason=f"it starts like gzip and is not ({error})") from None
    if len(unpacked) > _UNPACKED_BYTES:
        raise MalformedSitemap(url=url, reason=f"it unpacks to more than {_UNPACKED_BYTES:,} bytes")
    return unpacked
