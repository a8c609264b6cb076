"""Bytes into text as browsers do it: the labels, the order and the replacement of the WHATWG encoding standard."""

from __future__ import annotations

import codecs
import re

import webencodings

_PRESCAN_BYTES = 64 * 1024
"""Length of the part of a page in which its declaration is searched. The standard requires 1,024, browsers go on."""

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16le"), (codecs.BOM_UTF16_BE, "utf-16be"))
_UTF_32 = ((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"))
"""Not in the standard, but a mark of four bytes is unmistakable, and some tools still write it."""

_BARE_UTF_16 = ((b"<\x00?\x00x\x00", "utf-16le"), (b"\x00<\x00?\x00x", "utf-16be"))
"""The bytes by which the XML standard (appendix F) recognises UTF-16 without a mark."""

_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.S)
_DECLARED = re.compile(
    rb"""<(?:meta\b|\?xml\b)[^>]{0,1000}?(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:+-]{1,40})""", re.I
)
_LANGUAGE = re.compile(rb"""<(?:html|feed|rss)\b[^>]{0,500}?\blang\s*=\s*["']?([A-Za-z]{2,3})""", re.I)

_SUPERSETS = {"gbk": "gb18030"}
"""The standard decodes GBK with the decoder of GB18030."""

_GUESSED = ("cp1251", "shift_jis", "euc_jp", "gb18030", "big5", "cp949", "koi8_r", "cp1250", "cp1253", "cp1254",
            "cp1255", "cp1256", "cp874", "cp1252")  # fmt: skip
"""The candidates for undeclared pages."""


def decode(*, content: bytes, charset: str = "") -> str:
    """
    Decode a page or a feed. Never fails: bytes that do not fit become replacement characters, the rest stays right.

    In this order: byte order mark, ``charset`` (what the header says), what the content declares, UTF-8, a guess.
    """
    name = name_of(content=content, charset=charset)
    text = content.decode(name, errors="replace")
    return text.removeprefix("\ufeff")


def name_of(*, content: bytes, charset: str = "") -> str:
    """Return the Python codec that decodes the content, of which the beginning is enough."""
    for mark, name in (*_UTF_32, *_MARKS):
        if content.startswith(mark) and not (name == "utf-32-le" and len(content) % 4):
            return name if name.startswith("utf-32") else codec_of(name) or "utf-8"
    for label in (charset, _declared_by(content)):
        if found := codec_of(label):
            return found
    for start, name in _BARE_UTF_16:
        if content.startswith(start):
            return codec_of(name) or "utf-8"
    return _undeclared(content)


def codec_of(label: str) -> str | None:
    """
    Return the Python codec for a label of the standard, or ``None`` for anything else, such as “rot13” or “utf-7”.
    """
    found = webencodings.lookup(label) if label else None
    if found is None or found.name in {"replacement", "x-user-defined"}:
        return None
    return _SUPERSETS.get(found.name, found.codec_info.name)


def charset_of(content_type: str) -> str:
    """Return the charset that a Content-Type header names, or an empty string."""
    for part in content_type.split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'")[:40]
    return ""


def _declared_by(content: bytes) -> str:
    start = content[:_PRESCAN_BYTES]
    declared = _DECLARED.search(_COMMENT.sub(b"", start) if b"<!--" in start else start)
    if declared is None:
        return ""
    label = declared[1].decode("ascii")
    # What could be read as ASCII is not UTF-16, whatever it says about itself: the standard reads it as UTF-8.
    return "utf-8" if label.lower().startswith(("utf-16", "utf16", "ucs-2", "unicode")) else label


def _undeclared(content: bytes) -> str:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        # A few broken bytes among proper sequences of UTF-8 are broken UTF-8, and nothing else.
        if _mostly_utf_8(content) or error.start > len(content) - 4:
            return "utf-8"
        return _guessed(content)
    return "utf-8"


def _mostly_utf_8(content: bytes) -> bool:
    broken = content.decode("utf-8", errors="replace").count("\ufffd")
    proper = sum(byte & 0xC0 == 0xC0 for byte in content[: 256 * 1024]) - broken
    return proper > 2 * broken


def _guessed(content: bytes) -> str:
    """Guess as browsers do, from the letters that are not ASCII."""
    from charset_normalizer import from_bytes

    matches = from_bytes(content[: 256 * 1024], cp_isolation=list(_GUESSED), language_threshold=0.05)
    best = matches.best()
    if best is None:
        return "cp1252"
    # Of charsets that fit equally well it is the most common one.
    for match in matches:
        if match.encoding == "cp1252" and match.chaos <= best.chaos and match.coherence >= best.coherence - 0.2:
            return "cp1252"
    return best.encoding
