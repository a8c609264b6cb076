"""Text as it came over the wire: which charset, and what the database can hold of it."""

from __future__ import annotations

import codecs
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(
    rb"""<(?:meta|\?xml)[^>]{0,500}?(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.I
)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SPACES = re.compile(r"\s+")


def decode(*, content: bytes, charset: str = "") -> str:
    """
    Decode a page. In this order: byte order mark, what the header says, what the page says, UTF-8, Windows-1252.

    Never fails: bytes that fit nothing become replacement characters.
    """
    for mark, name in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content.decode(name, errors="replace")
    declared = _DECLARED.search(content[:2048])
    for candidate in (charset, declared[1].decode("ascii") if declared else "", "utf-8"):
        if candidate:
            try:
                return content.decode(_codec(candidate))
            except (UnicodeError, LookupError, ValueError):
                continue  # Unknown, no charset at all (“rot13”), or not what the bytes are.
    return content.decode("cp1252", errors="replace")


def charset_of(content_type: str) -> str:
    """The charset that a Content-Type header names; empty if none."""
    for part in content_type.split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'")[:40]
    return ""


def storable(value: object, *, most: int | None = None) -> str:
    """Make text that PostgreSQL takes: no NUL, no lone surrogates, no more than ``most`` characters."""
    cleaned = _UNSTORABLE.sub("", str(value or ""))
    return cleaned if most is None else cleaned[:most]


def line(value: object, *, most: int) -> str:
    """One line of storable text, its white space folded."""
    return _SPACES.sub(" ", storable(value)).strip()[:most].strip()


def http_date(value: str) -> datetime | None:
    """Read a date of an HTTP header; ``None`` if it is none."""
    try:
        parsed = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def iso_date(value: str) -> datetime | None:
    """Read a W3C date or instant, taken as UTC if it says no zone; ``None`` if it is none."""
    try:
        parsed = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    try:
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except OverflowError:
        return None


def plausible(moment: datetime | None) -> datetime | None:
    """``None`` for years in which nobody published: some cannot even be shown in every time zone."""
    return moment if moment is not None and 1900 < moment.year < 2200 else None


def _codec(name: str) -> str:
    """:raises LookupError: there is no such charset"""
    known = codecs.lookup(name).name
    # On the web, Latin-1 and ASCII mean Windows-1252, as the WHATWG encoding standard writes down.
    return "cp1252" if known in {"iso8859-1", "ascii"} else known
