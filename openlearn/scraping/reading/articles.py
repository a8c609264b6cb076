"""Extract title, text, language, dates and authors from a page: HTML, plain text or PDF."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lxml import etree, html

from openlearn.scraping import addresses, charsets, dates, text
from openlearn.scraping.addresses import Claim
from openlearn.scraping.errors import NotForIndexing, WrongContentType
from openlearn.scraping.reading import markup, portable_documents
from openlearn.scraping.reading.similarity import fingerprint
from scheduler.messages import phrase

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
TEXT_TYPES = frozenset({"text/plain", "text/markdown"})
PDF_TYPES = frozenset({"application/pdf", "application/x-pdf"})

_TEXT_CHARACTERS = 2_000_000
_ROBOTS_NAMES = frozenset({"robots", "openlearnbot"})
_NO_INDEX = re.compile(r"\b(?:noindex|none)\b", re.I)
_REFRESH = re.compile(r"""\s*([\d.]{1,6})?\s*[;,]?\s*url\s*=\s*["']?\s*([^"']+)""", re.I)
_AT_ONCE_SECONDS = 1

# The parsers meet whatever the web holds, and show what they did not expect as any of these.
_PARSER_FAILURES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    etree.LxmlError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """The facts of a page. Empty text and ``None`` mean that they are missing."""

    canonical_url: str
    title: str
    authors: tuple[str, ...]
    summary: str
    text: str
    language: str
    published_at: datetime | None
    fingerprint: list[int] | None = None
    """The fingerprint of the text, for finding copies. ``None`` if the text is too short."""


def check_type(*, url: str, media_type: str, content: bytes) -> None:
    """
    Reject what holds no text for people. A server that states no type is believed if the content looks like text.

    :raises WrongContentType:
    """
    if media_type in HTML_TYPES | TEXT_TYPES | PDF_TYPES or (not media_type and b"\x00" not in content[:1024]):
        return
    raise WrongContentType(url=url, content_type=media_type, expected=phrase("an HTML page, plain text or PDF"))


def extract(*, content: bytes, url: str, content_type: str = "") -> Extracted:
    """
    Read a page. Pages without recognisable content have empty text.

    :raises NotForIndexing: the page asks not to be collected, or only leads to another one
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in PDF_TYPES or content.startswith(b"%PDF-"):
        return _with_fingerprint(_from_pdf(content, url))
    decoded = text.storable(charsets.decode(content=content, charset=charsets.charset_of(content_type)))
    if media_type in TEXT_TYPES:
        return _with_fingerprint(_from_plain_text(decoded, url))
    root = _tree(decoded)
    if root is None:
        return _nothing(url)
    _check_robots(root, url)
    found, body = _read_article(_with_formulas(root, decoded), url)
    language = text.language(root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang"))
    title = text.line(root.findtext(".//head/title"), most=500)
    return _with_fingerprint(
        Extracted(
            canonical_url=_canonical(root, url),
            title=_without_anchor(text.line(getattr(found, "title", None), most=500)) or title,
            authors=_authors(getattr(found, "author", None)),
            summary=text.line(getattr(found, "description", None), most=5000),
            text=text.storable(body, most=_TEXT_CHARACTERS),
            language=language,
            published_at=dates.instant(getattr(found, "date", None) or ""),
        )
    )


def _check_robots(root: html.HtmlElement, url: str) -> None:
    """
    Believe ``noindex``, and a refresh at once: challenges, sign-in and redirect pages say so, lessons do not.

    :raises NotForIndexing:
    """
    for element in root.iter("meta"):
        name = (element.get("name") or element.get("http-equiv") or "").strip().lower()
        given = element.get("content") or ""
        if name in _ROBOTS_NAMES and _NO_INDEX.search(given):
            raise NotForIndexing(url=url, reason=phrase("it asks not to be collected (noindex)"))
        if name == "refresh" and (refresh := _REFRESH.match(given)) and float(refresh[1] or 0) < _AT_ONCE_SECONDS:
            target = addresses.canonical(url=refresh[2], base=url)
            if target is not None and target != addresses.canonical(url=url):
                raise NotForIndexing(url=url, reason=phrase("it only leads to {target}", target=target))


def _with_formulas(root: html.HtmlElement, decoded: str) -> str:
    """The page with the source of its formulas as text, which the extraction would drop."""
    if not markup.has_formulas(decoded):
        return decoded
    markup.keep_formulas(root)
    return str(html.tostring(root, encoding="unicode"))


def _with_fingerprint(found: Extracted) -> Extracted:
    return replace(found, fingerprint=fingerprint(found.text))


def _read_article(decoded: str, url: str) -> tuple[Any, str]:
    """Return trafilatura's reading of a page: its metadata, or ``None``, and the text of its main part."""
    # Loaded here: it brings tens of megabytes, which the web and the threads that only fetch never need.
    import trafilatura
    from trafilatura.metadata import extract_metadata

    try:
        # Not extensive: a year in a footer is a guess at the date, and takes as long as all the rest.
        found = extract_metadata(decoded, default_url=url, extensive=False)
        return found, trafilatura.extract(decoded, url=url, include_comments=False, include_tables=True) or ""
    except _PARSER_FAILURES:
        return None, ""


def _tree(decoded: str) -> html.HtmlElement | None:
    try:
        # Bytes with a stated encoding: lxml refuses text that declares one itself.
        return html.document_fromstring(
            decoded.encode(), parser=html.HTMLParser(encoding="utf-8", huge_tree=False, no_network=True)
        )
    except (etree.LxmlError, ValueError, AssertionError):
        return None


def _canonical(root: html.HtmlElement, url: str) -> str:
    """
    The address that the page gives itself, if it is plausible: on its own site, and not one for all its pages.

    A page speaks for the pages of no other host.
    """
    own = addresses.canonical(url=url) or url
    base = root.find(".//base[@href]")
    place = addresses.canonical(url=base.get("href"), base=url) if base is not None else None
    for link in root.iter("link"):
        if "canonical" in (link.get("rel") or "").lower().split() and link.get("href"):
            named = addresses.canonical(url=link.get("href"), base=place or url)
            if named is not None and addresses.same_site(named, own):
                return named if addresses.is_plausible(Claim(own=own, claimed=named)) else own
    return own


def _without_anchor(title: str) -> str:
    """Generators of documentation end headings with a link to themselves."""
    return title.removesuffix("¶").rstrip()


def _authors(names: str | None) -> tuple[str, ...]:
    """Trafilatura joins names with semicolons."""
    cleaned = (text.line(name, most=200) for name in (names or "").split(";")[:50])
    return tuple(dict.fromkeys(name for name in cleaned if name))


def _from_pdf(content: bytes, url: str) -> Extracted:
    found = portable_documents.read(content)
    return replace(
        _nothing(url),
        title=found.title or text.line(url.rpartition("/")[2], most=500),
        authors=found.authors,
        text=text.storable(found.text, most=_TEXT_CHARACTERS),
        language=found.language,
        published_at=found.created_at,
    )


def _from_plain_text(decoded: str, url: str) -> Extracted:
    first = next((row for row in decoded.splitlines() if row.strip()), "")
    return Extracted(
        canonical_url=addresses.canonical(url=url) or url,
        title=text.line(first.strip("#= "), most=500),
        authors=(),
        summary="",
        text=decoded[:_TEXT_CHARACTERS],
        language="",
        published_at=None,
    )


def _nothing(url: str) -> Extracted:
    return Extracted(
        canonical_url=addresses.canonical(url=url) or url,
        title="",
        authors=(),
        summary="",
        text="",
        language="",
        published_at=None,
    )
