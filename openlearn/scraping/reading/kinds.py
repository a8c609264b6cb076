"""Recognise what an answer is at its first sight, whatever its type says."""

from __future__ import annotations

import re
from enum import StrEnum
from urllib.parse import urljoin

from lxml import etree, html

from openlearn.scraping import charsets, text
from openlearn.scraping.reading import prolog
from scheduler.messages import phrase

_START = 4096
_HTML = re.compile(r"<(?:html|head|body|title|meta|div|p|h1)\b", re.I)
_ADDRESS_LINE = re.compile(r"https?://\S+")

FEED_TYPES = frozenset({"application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/feed+json"})


class Found(StrEnum):
    """The kinds of answers."""

    FEED = "feed"
    JSON_FEED = "json_feed"
    SITEMAP = "sitemap"
    ADDRESSES = "addresses"
    """A sitemap as plain text: one address a line."""

    REPOSITORY = "repository"
    OPML = "opml"
    HTML = "html"
    OTHER = "other"


_ROOTS = {
    "rss": Found.FEED, "feed": Found.FEED, "rdf": Found.FEED, "urlset": Found.SITEMAP, "sitemapindex": Found.SITEMAP,
    "oai-pmh": Found.REPOSITORY, "opml": Found.OPML, "html": Found.HTML,
}  # fmt: skip


def recognise(document: str) -> Found:
    """Say what a decoded answer is, from its beginning."""
    start = document[: prolog.LONGEST].lstrip("\ufeff \t\r\n")
    if start.startswith("{"):
        return Found.JSON_FEED if "jsonfeed.org/version" in start[:_START] else Found.OTHER
    read = prolog.read(start)
    root = read.root.rpartition(":")[2].lower()
    if root in _ROOTS:
        return _ROOTS[root]
    if _HTML.match(read.rest) or re.search(r"<!doctype\s+html", start[:_START], re.I):
        return Found.HTML
    lines = [row.strip() for row in start[:_START].splitlines() if row.strip()]
    if lines and all(_ADDRESS_LINE.fullmatch(row) for row in lines[:-1] or lines):
        return Found.ADDRESSES
    return Found.OTHER


def advice(found: Found, *, wanted: str) -> str:
    """Return advice for an answer of another kind than the source has, or an empty string."""
    if found in {Found.FEED, Found.JSON_FEED} and wanted != "feed":
        return phrase("this is a feed. Set the kind of the source to “feed”.")
    if found in {Found.SITEMAP, Found.ADDRESSES} and wanted != "sitemap":
        return phrase("this is a sitemap. Set the kind of the source to “sitemap or sitemap index”.")
    if found is Found.REPOSITORY and wanted != "oai":
        return phrase("this is a repository with OAI-PMH. Set the kind of the source to “repository (OAI-PMH)”.")
    if found is Found.OPML:
        return phrase("this is a list of feeds (OPML). Import it on the page of the sources.")
    if found is Found.HTML and wanted != "page":
        return phrase("this is an HTML page. Set the kind of the source to “single page”, or look for a feed on it.")
    return ""


def feeds_named_by(content: bytes, url: str, *, charset: str = "") -> tuple[str, ...]:
    """The feeds that an HTML page names in its head, first to last."""
    try:
        decoded = charsets.decode(content=content[: 512 * 1024], charset=charset)
        root = html.document_fromstring(decoded.encode(), parser=html.HTMLParser(encoding="utf-8", no_network=True))
    except (etree.LxmlError, ValueError, AssertionError):
        return ()
    base = root.find(".//base[@href]")
    place = urljoin(url, base.get("href")) if base is not None else url
    found = []
    for link in root.iter("link"):
        if (link.get("type") or "").partition(";")[0].strip().lower() in FEED_TYPES and link.get("href"):
            try:
                found.append(text.line(urljoin(place, link.get("href").strip()), most=300))
            except ValueError:
                continue
    return tuple(dict.fromkeys(found))[:10]
