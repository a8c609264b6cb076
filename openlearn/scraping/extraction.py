"""Take title, text, language, dates and authors out of an HTML page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree, html

from openlearn.scraping import addresses, text
from openlearn.scraping.errors import WrongContentType

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
TEXT_TYPES = frozenset({"text/plain", "text/markdown"})

_TEXT_CHARACTERS = 2_000_000

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
    """What a page says. Empty text and ``None`` mean that it does not say."""

    canonical_url: str
    title: str
    authors: tuple[str, ...]
    summary: str
    text: str
    language: str
    published_at: datetime | None


def check_type(*, url: str, media_type: str, content: bytes) -> None:
    """
    Refuse what holds no text for people. A server that says no type is believed if the content looks like text.

    :raises WrongContentType:
    """
    if media_type in HTML_TYPES | TEXT_TYPES or (not media_type and b"\x00" not in content[:1024]):
        return
    raise WrongContentType(url=url, content_type=media_type, expected="an HTML page")


def extract(*, content: bytes, url: str, content_type: str = "") -> Extracted:
    """
    Read a page. Pages without recognisable content have empty text; nothing is raised for them.

    The canonical address is believed only on the page's own host: nobody may speak for the pages of others.
    """
    decoded = text.storable(text.decode(content=content, charset=text.charset_of(content_type)))
    if content_type.partition(";")[0].strip().lower() in TEXT_TYPES:
        return _from_plain_text(decoded, url)
    root = _tree(decoded)
    if root is None:
        return _nothing(url)
    language = text.line(root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang"), most=16)
    title = text.line(root.findtext(".//head/title"), most=500)
    canonical = _canonical(root, url)
    found, body = _read_article(decoded, url)
    return Extracted(
        canonical_url=canonical,
        title=_without_anchor(text.line(getattr(found, "title", None), most=500)) or title,
        authors=_authors(getattr(found, "author", None)),
        summary=text.line(getattr(found, "description", None), most=5000),
        text=text.storable(body, most=_TEXT_CHARACTERS),
        language=language.lower(),
        published_at=_date(getattr(found, "date", None)),
    )


def _read_article(decoded: str, url: str) -> tuple[Any, str]:
    """What trafilatura makes of a page: its metadata, or ``None``, and the text of its main part."""
    # Loaded here: it brings tens of megabytes, which the web and the threads that only fetch never need.
    import trafilatura
    from trafilatura.metadata import extract_metadata

    try:
        found = extract_metadata(decoded, default_url=url)
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
    own = addresses.canonical(url=url) or url
    for link in root.iter("link"):
        if "canonical" in (link.get("rel") or "").lower().split() and link.get("href"):
            named = addresses.canonical(url=link.get("href"), base=url)
            if named is not None and addresses.host_of(named) == addresses.host_of(own):
                return named
    return own


def _without_anchor(title: str) -> str:
    """Generators of documentation end headings with a link to themselves."""
    return title.removesuffix("¶").rstrip()


def _authors(names: str | None) -> tuple[str, ...]:
    """Trafilatura joins names with semicolons."""
    cleaned = (text.line(name, most=200) for name in (names or "").split(";")[:50])
    return tuple(dict.fromkeys(name for name in cleaned if name))


def _date(value: str | None) -> datetime | None:
    return text.plausible(text.iso_date(value or ""))


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
