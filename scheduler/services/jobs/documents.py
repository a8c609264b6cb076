"""Exports in files: JSON whose jobs are read one by one, so that memory does not grow with the file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from scheduler.errors import InvalidImport

_JOBS = "jobs"
_CHARS = 1 << 16
"""Characters that are read at once. A value that is longer is read in pieces that double."""

_SPACE = " \t\n\r"
_AFTER = f"{_SPACE},:]}}"


class UnreadableDocument(InvalidImport):
    """The file is not JSON. The message says so without naming it."""


class JobsInFile:
    """The items of ``jobs`` in a file. Each loop reads them from the file anew."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def __iter__(self) -> Iterator[Any]:
        return self._document.jobs()


class Document(Mapping[str, Any]):
    """An object in a file that can be read several times. All but its jobs is kept."""

    def __init__(self, file: TextIO) -> None:
        """:raises UnreadableDocument: its beginning cannot be read"""
        self._file = file
        self._members: dict[str, Any] = {}
        self._is_read = False
        next(self.jobs(), None)  # what comes before the jobs

    def __getitem__(self, name: str) -> Any:
        if name not in self._members:
            self._read()
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        self._read()
        return iter(self._members)

    def __len__(self) -> int:
        self._read()
        return len(self._members)

    def _read(self) -> None:
        if not self._is_read:
            for _job in self.jobs():
                pass

    def jobs(self) -> Iterator[Any]:
        """
        Read the whole file. Yield its jobs, and note the other members, some of which may come after them.

        :raises UnreadableDocument: it cannot be read from here on
        """
        self._file.seek(0)
        reader = _Reader(self._file)
        for name in reader.members():
            if name == _JOBS and reader.peek() == "[":
                self._members[name] = JobsInFile(self)
                yield from reader.items()
            else:
                self._members[name] = reader.value()
        reader.end()
        self._is_read = True


def read(file: TextIO) -> Any:
    """
    Return the content of a file that can be read several times: an object as a ``Document``.

    :raises UnreadableDocument: it cannot be read
    """
    file.seek(0)
    reader = _Reader(file)
    if reader.peek() == "{":
        return Document(file)
    found = reader.value()
    reader.end()
    return found


class _Reader:
    """A place in a JSON text."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._decode = json.JSONDecoder().raw_decode
        self._text, self._at, self._is_whole, self._line = "", 0, False, 1
        self._more()
        self._text = self._text.removeprefix("\ufeff")

    def peek(self) -> str:
        """Return the next character that is no space. Empty: the text has ended."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if self._is_whole:
                return ""
            self._more()

    def members(self) -> Iterator[str]:
        """Yield the names of an object. The caller reads each value before it asks for the next name."""
        for _ in self._parts("{", "}"):
            name = self.value()
            if not isinstance(name, str):
                raise self._refuse("the name of a member must be a text")
            self._expect(":")
            yield name

    def items(self) -> Iterator[Any]:
        """Yield the items of a list."""
        for _ in self._parts("[", "]"):
            yield self.value()

    def value(self) -> Any:
        """Read a value as a whole."""
        self.peek()
        while True:
            try:
                found, end = self._decode(self._text, self._at)
                if self._is_whole or (end < len(self._text) and self._text[end] in _AFTER):  # a number may go on
                    self._at = end
                    return found
            except json.JSONDecodeError as error:
                if self._is_whole:
                    raise self._refuse(error.msg, at=error.pos) from None
            except RecursionError:
                raise UnreadableDocument("is nested too deeply") from None
            self._more()

    def end(self) -> None:
        if self.peek():
            raise self._refuse("it goes on behind its end")

    def _parts(self, opening: str, closing: str) -> Iterator[None]:
        self._expect(opening)
        if self.peek() == closing:
            self._at += 1
            return
        while True:
            yield
            if self.peek() == closing:
                self._at += 1
                return
            self._expect(",")

    def _expect(self, character: str) -> None:
        if self.peek() != character:
            raise self._refuse(f"“{character}” is missing")
        self._at += 1

    def _more(self) -> None:
        """Read on: as much again as a value has so far, and at least some."""
        rest = self._text[self._at :]
        self._line += self._text.count("\n", 0, self._at)
        try:
            found = self._file.read(max(_CHARS, len(rest)))
        except UnicodeDecodeError:
            raise UnreadableDocument("cannot be read: it is not UTF-8") from None
        self._text, self._at, self._is_whole = rest + found, 0, not found

    def _refuse(self, why: str, *, at: int | None = None) -> UnreadableDocument:
        line = self._line + self._text.count("\n", 0, self._at if at is None else at)
        return UnreadableDocument(f"is not JSON: {why}, line {line}")
