"""Read RSS, RDF and Atom into items."""

from __future__ import annotations

import calendar
import hashlib
import io
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import feedparser
from lxml import etree, html

from openlearn.scraping import addresses, text
from openlearn.scraping.errors import MalformedFeed, NotAFeed, WrongContentType

_ENTRIES = 2_000
"""Most entries read of one feed: the largest honest ones have some hundreds."""

_SUMMARY_CHARACTERS = 5_000
_HTML_START = re.compile(rb"<(?:!doctype\s+html|html|head|body)\b", re.I)
_FEED_ROOT = re.compile(rb"<(?:[\w.-]+:)?(?:rss|feed|RDF)\b")
_ENTITY = re.compile(rb"<!ENTITY", re.I)
_REFERENCE = re.compile(rb"&#(?:[xX]0*([0-9a-fA-F]{1,6})|0*([0-9]{1,7}));")

# feedparser meets whatever the web holds, and shows what it did not expect as any of these.
_PARSER_FAILURES = (AttributeError, LookupError, RuntimeError, TypeError, ValueError)

_FEED_TYPES = frozenset({"application/rss+xml", "application/atom+xml", "application/rdf+xml"})
_OPAQUE_TYPES = ("image/", "audio/", "video/", "font/", "application/pdf", "application/zip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a feed."""

    url: str
    title: str
    authors: tuple[str, ...]
    summary: str
    text: str
    """The whole text, if the feed carries it."""

    language: str
    published_at: datetime | None

    @property
    def marker(self) -> str:
        """Changes when anything that the feed says about it does."""
        facts = [self.title, self.authors, self.summary, self.text, self.language, str(self.published_at)]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    entries: tuple[Entry, ...]
    """In the order of the feed, each address once."""

    skipped: int
    """Entries without a usable address, or with one that came before."""

    problem: str
    """What is wrong with the feed although its entries could be read; empty if nothing is."""


def parse(*, content: bytes, url: str, content_type: str = "") -> Feed:
    """
    Read a feed. ``url`` is what relative links are relative to.

    :raises NotAFeed: it is an HTML page
    :raises WrongContentType: it is a picture, an archive, or anything else that is no text
    :raises MalformedFeed: no entry of it can be read
    """
    check(content=content, url=url, content_type=content_type)
    return read(content=content, url=url, content_type=content_type)


def check(*, content: bytes, url: str, content_type: str = "") -> None:
    """
    Refuse what is no feed at its first sight. The time it takes grows with the size and no faster, whatever comes.

    :raises NotAFeed:
    :raises WrongContentType:
    :raises MalformedFeed: it declares entities
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.startswith(_OPAQUE_TYPES):
        raise WrongContentType(url=url, content_type=media_type, expected="a feed")
    start = content[:4096].replace(b"\x00", b"")
    if _HTML_START.match(_without_comments(start)) and not _FEED_ROOT.search(start):
        raise NotAFeed(url=url, feeds=_feeds_named_by(content, url))
    # A feed has no use for entities of its own; those that declare some want to exhaust memory or read files.
    if _ENTITY.search(content.replace(b"\x00", b"")):
        raise MalformedFeed(url=url, reason="it declares XML entities, which are not expanded")


def read(*, content: bytes, url: str, content_type: str = "") -> Feed:
    """
    Read what ``check`` let pass. Feeds can be made for which this takes hours: see ``feed_process``.

    :raises MalformedFeed: no entry of it can be read
    """
    # Servers send feeds under every type there is; only what they say about the charset is worth something.
    charset = text.charset_of(content_type)
    xml_type = f"application/xml; charset={charset}" if charset else "application/xml"
    headers = {"content-type": xml_type, "content-location": url}
    try:
        parsed = feedparser.parse(io.BytesIO(_REFERENCE.sub(_mended, content)), response_headers=headers)
    except _PARSER_FAILURES as error:
        raise MalformedFeed(url=url, reason=text.line(error, most=300) or type(error).__name__) from error
    if not parsed.entries and not parsed.get("version"):
        raise MalformedFeed(url=url, reason=_reason(parsed) or "it has neither the root of a feed nor entries")
    feed = _gather(parsed, url)
    if feed.problem and not feed.entries:
        raise MalformedFeed(url=url, reason=feed.problem)
    return feed


def _without_comments(start: bytes) -> bytes:
    rest = start.lstrip()
    while rest.startswith(b"<!--"):
        rest = rest.partition(b"-->")[2].lstrip()
    return rest


def _mended(reference: re.Match[bytes]) -> bytes:
    """Replace a reference to half of a character: feedparser gives up the whole feed for one."""
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    return b"&#xFFFD;" if 0xD800 <= number <= 0xDFFF or number > 0x10FFFF else reference[0]


def _gather(parsed: Any, url: str) -> Feed:
    entries: dict[str, Entry] = {}
    skipped = max(0, len(parsed.entries) - _ENTRIES)
    language = text.line(parsed.feed.get("language"), most=16)
    for raw in parsed.entries[:_ENTRIES]:
        entry = _entry(raw, base=url, language=language)
        if entry is None or entry.url in entries:
            skipped += 1
        else:
            entries[entry.url] = entry
    return Feed(entries=tuple(entries.values()), skipped=skipped, problem=_reason(parsed))


def _entry(raw: dict[str, Any], *, base: str, language: str) -> Entry | None:
    address = addresses.canonical(url=str(raw.get("link") or raw.get("id") or ""), base=base) if _names(raw) else None
    if address is None:
        return None
    contents = [part.get("value", "") for part in raw.get("content", ())]
    names = [author.get("name", "") for author in raw.get("authors", ())] or [raw.get("author", "")]
    return Entry(
        url=address,
        title=text.line(plain(str(raw.get("title") or "")), most=500),
        authors=tuple(dict.fromkeys(name for name in (text.line(name, most=200) for name in names[:50]) if name)),
        summary=plain(str(raw.get("summary") or ""))[:_SUMMARY_CHARACTERS],
        text=plain(str(max(contents, key=len, default=""))),
        language=language,
        # Asked as a plain dict: feedparser's own look-up takes the one for the other, and warns.
        published_at=_instant(dict.get(raw, "published_parsed") or dict.get(raw, "updated_parsed")),
    )


def _names(raw: dict[str, Any]) -> bool:
    """Say whether the entry names a page: an id counts only if it is an address itself."""
    return bool(raw.get("link")) or str(raw.get("id") or "").startswith(("http://", "https://"))


def plain(markup: str) -> str:
    """Text without markup; paragraphs stay apart."""
    markup = text.storable(markup)
    if "<" not in markup and "&" not in markup:
        return markup.strip()
    try:
        root = html.fromstring(f"<div>{markup}</div>")
    except (etree.LxmlError, ValueError):
        return markup.strip()
    for element in root.iter("p", "br", "li", "div", "h1", "h2", "h3", "h4", "pre", "tr"):
        element.tail = "\n" + (element.tail or "")
    for element in list(root.iter("script", "style")):
        element.text = None
    lines = (" ".join(row.split()) for row in str(root.text_content()).splitlines())
    return "\n".join(row for row in lines if row)


def _instant(parsed: Any) -> datetime | None:
    try:
        return text.plausible(datetime.fromtimestamp(calendar.timegm(parsed), tz=UTC))
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _reason(parsed: Any) -> str:
    """What was wrong with the feed; another charset than declared, which was found, is not."""
    problem = parsed.get("bozo_exception") if parsed.bozo else None
    if problem is None or isinstance(problem, feedparser.CharacterEncodingOverride):
        return ""
    return text.line(problem, most=300) or type(problem).__name__


def _feeds_named_by(content: bytes, url: str) -> tuple[str, ...]:
    """The feeds that an HTML page names in its head."""
    try:
        root = html.fromstring(text.decode(content=content[: 256 * 1024]).encode())
    except (etree.LxmlError, ValueError):
        return ()
    found = []
    for link in root.iter("link"):
        if (link.get("type") or "").lower() in _FEED_TYPES and link.get("href"):
            try:
                found.append(text.line(urljoin(url, link.get("href")), most=300))
            except ValueError:
                continue
    return tuple(dict.fromkeys(found))[:5]
