"""
Large XML documents piece by piece: from a file, packed or not, in any charset, well-formed or not, with flat memory.

A fault at one place costs that place only: lone ampersands are mended, forbidden characters dropped, and the elements
before a cut end are returned.
"""

from __future__ import annotations

import codecs
import gzip
import itertools
import re
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from lxml import etree

from openlearn.scraping import charsets, text
from openlearn.scraping.reading import prolog
from scheduler.messages import phrase

_PIECE = 64 * 1024
_HEAD = prolog.LONGEST
_LONGEST_TAG = 1024 * 1024
_AMPERSAND = re.compile(r"<!\[CDATA\[.*?\]\]>|&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});)", re.S)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


_CLOSED = re.compile(r"</(?:[\w.-]+:)?(?:urlset|sitemapindex|OAI-PMH)\s*>", re.I)


class XmlStream:
    """
    A document that is read once, from its beginning to its end.

    ``head`` is known at once. ``elements`` yields the rest. ``problem`` is complete after the last element.
    """

    def __init__(self, *, file: BinaryIO, charset: str = "", most_bytes: int) -> None:
        self.problem = ""
        """The fault of a document that could be read all the same. Empty for a valid one."""

        self.is_incomplete = False
        """Something at its end is missing, or was not read."""

        self._most_bytes = most_bytes
        self._texts = self._decoded(self._unpacked(self._pieces(file)), charset)
        head = ""
        for piece in self._texts:
            head += piece
            if len(head) >= _HEAD:
                break
        self.head = head
        """The beginning of the document, decoded."""

    def elements(self, *names: str) -> Iterator[Any]:
        """Give out the elements with these local names, one at a time: each is emptied before the next one comes."""
        before = prolog.read(self.head)
        if before.had_noise:
            self._note(phrase("there is text before the document"))
        parser = etree.XMLPullParser(
            events=("end",),
            tag=[f"{{*}}{name}" for name in names],
            recover=True,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        for piece in self._mended(before.rest):
            try:
                parser.feed(piece.encode())
            except etree.XMLSyntaxError as error:
                self._note(text.line(error, most=300))
                break
            yield from _emptied(parser)
        self._close(parser)
        yield from _emptied(parser)

    def lines(self) -> Iterator[str]:
        """Give out the lines of a document that is plain text."""
        rest = ""
        for piece in itertools.chain((self.head,), self._texts):
            *whole, rest = (rest + piece).split("\n")
            yield from whole
        yield rest

    def _close(self, parser: Any) -> None:
        try:
            parser.close()
        except etree.XMLSyntaxError as error:
            self.is_incomplete = True
            self._note(text.line(error, most=300))
        for entry in parser.error_log:
            self._note(text.line(entry.message, most=300))
            break

    def _note(self, problem: str) -> None:
        self.problem = self.problem or problem

    def _pieces(self, file: BinaryIO) -> Iterator[bytes]:
        while piece := file.read(_PIECE):
            yield piece

    def _unpacked(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Unpack as often as it was packed, and no more than is allowed."""
        stream = pieces
        for _ in range(3):
            first = next(stream, b"")
            stream = _again(first, stream)
            if not first.startswith(b"\x1f\x8b"):
                break
            stream = self._gunzipped(stream)
        left = self._most_bytes
        for piece in stream:
            if len(piece) > left:
                self.is_incomplete = True
                self._note(phrase("it is longer than {most:,} bytes; the rest was not read", most=self._most_bytes))
                yield piece[:left]
                return
            left -= len(piece)
            yield piece

    def _gunzipped(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        packed = gzip.GzipFile(fileobj=cast("BinaryIO", _Pieces(pieces)))
        try:
            while piece := packed.read(_PIECE):
                yield piece
        except (OSError, EOFError, zlib.error) as error:
            self.is_incomplete = True
            self._note(phrase("it is packed with gzip and damaged ({error})", error=text.line(error, most=200)))

    def _decoded(self, pieces: Iterator[bytes], charset: str) -> Iterator[str]:
        first = next(pieces, b"")
        decoder = codecs.getincrementaldecoder(charsets.name_of(content=first, charset=charset))("replace")
        yield decoder.decode(first).removeprefix("\ufeff")
        for piece in pieces:
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=True)

    def _mended(self, rest: str) -> Iterator[str]:
        """Cut behind tags, so that no reference is cut in two, and mend each piece."""
        waiting = end_of_document = ""
        for piece in itertools.chain((rest,), self._texts):
            waiting += piece
            end = waiting.rfind(">") + 1 or (len(waiting) if len(waiting) > _LONGEST_TAG else 0)
            whole, waiting = waiting[:end], waiting[end:]
            yield self._mend(whole)
            end_of_document = whole[-200:] or end_of_document
        yield self._mend(waiting)
        if not _CLOSED.search(end_of_document + waiting[:200]):
            self.is_incomplete = True
            self._note(phrase("it ends in the middle"))

    def _mend(self, piece: str) -> str:
        mended, count = _AMPERSAND.subn(_whole_ampersand, _FORBIDDEN.sub("", piece))
        if count and len(mended) != len(piece):
            self._note(phrase("it has characters that XML forbids, such as a lone “&”"))
        return mended


class _Pieces:
    """The part of a file's interface that gzip needs, over pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._iterator = pieces
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._iterator, b"")
        if size < 0:
            size = len(self._rest)
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _whole_ampersand(found: re.Match[str]) -> str:
    return "&amp;" if found[0] == "&" else found[0]


def _emptied(parser: Any) -> Iterator[Any]:
    for _, element in parser.read_events():
        yield element
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
