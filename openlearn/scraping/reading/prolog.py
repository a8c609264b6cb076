"""
The part of an XML document before its root, and the declarations in it that are kept or dropped.

Feeds and sitemaps need no document type. The declarations in one are either letters (``nbsp``), which are kept, or an
attempt to exhaust memory or to read files, which are dropped. Declarations inside the root are text about XML, not XML.
"""

from __future__ import annotations

import re

LONGEST = 256 * 1024
"""A prolog beyond this is none: comments of that length stand before no honest feed."""

_DECLARATION = re.compile(r"<\?xml\b[^>]{0,500}\?>", re.I)
_INSTRUCTION = re.compile(r"<\?.*?\?>", re.S)
_LETTER = re.compile(r"""<!ENTITY\s+([A-Za-z]\w{0,31})\s+(["'])(&#x?[0-9A-Fa-f]{1,7};|[^&%<"']{0,40})\2\s*>""")
_NAME = re.compile(r"<([A-Za-z_][\w.:-]*)")


class Prolog:
    """The part before the root of a document that is already decoded."""

    def __init__(self, *, rest: str, letters: dict[str, str], root: str, had_noise: bool) -> None:
        self.rest = rest
        """The document from its root on."""

        self.letters = letters
        """Entities that stand for a letter or a short text without markup."""

        self.root = root
        """The name of the root as it is written, such as ``rss`` or ``rdf:RDF``. Empty without a root."""

        self.had_noise = had_noise
        """Something stood before the document that does not belong there."""


def read(document: str) -> Prolog:
    """Take the prolog off a document. The time it takes grows with the size and no faster."""
    place, letters, noisy = 0, {}, False
    end = min(len(document), LONGEST)
    while place < end:
        opening = document.find("<", place)
        if opening < 0:
            break
        noisy = noisy or bool(document[place:opening].strip("\ufeff \t\r\n\x00"))
        if document.startswith("<!--", opening):
            place = _after(document, "-->", opening + 4)
        elif document.startswith("<?", opening):
            place = _after(document, "?>", opening + 2)
        elif document[opening : opening + 9].upper() == "<!DOCTYPE":
            place, subset = _doctype(document, opening)
            letters = {name: value for name, _, value in _LETTER.findall(subset)}
        elif name := _NAME.match(document, opening):
            return Prolog(rest=document[opening:], letters=letters, root=name[1], had_noise=noisy)
        else:
            place = opening + 1
    return Prolog(rest=document[place:], letters=letters, root="", had_noise=noisy)


def _after(document: str, mark: str, start: int) -> int:
    found = document.find(mark, start)
    return len(document) if found < 0 else found + len(mark)


def _doctype(document: str, start: int) -> tuple[int, str]:
    """Where a document type ends, and its internal subset."""
    closing, bracket = document.find(">", start), document.find("[", start)
    if bracket < 0 or (0 <= closing < bracket):
        return (len(document) if closing < 0 else closing + 1), ""
    place = bracket + 1
    quote = ""
    while place < min(len(document), start + LONGEST):
        letter = document[place]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "]":
            return _after(document, ">", place), document[bracket + 1 : place]
        place += 1
    return place, document[bracket + 1 : place]
