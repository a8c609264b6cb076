"""The log of one run: its first and its last lines, safe to store and to show."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterable

from scheduler.untouched import json

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

MASK = "•••"


def visible(text: str) -> str:
    """Replace control characters by their pictures (ESC by ␛) and lone surrogates by U+FFFD. Keep tabs and newlines."""
    return _UNSAFE.sub(_picture, text)


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else "\ufffd"


def masked(text: str, secrets: Iterable[str]) -> str:
    """Replace the values of secrets in a text, also where JSON or ``repr`` escaped them."""
    for secret in secrets:
        for spelling in _spellings(secret):
            if spelling in text:
                text = text.replace(spelling, MASK)
    return text


def _spellings(secret: str) -> tuple[str, ...]:
    # The longest first: what is left of an escaped one would otherwise keep its backslashes.
    spellings = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    return tuple(sorted(spellings, key=len, reverse=True))


class Logbook:
    """
    Lines of a run, bounded: the first half of ``limit`` bytes and the last half are kept, and the cut is told.

    Threads may write side by side.
    """

    LONGEST_LINE = 8 * 1024

    def __init__(self, *, limit: int, secrets: tuple[str, ...] = ()) -> None:
        self._half = limit // 2
        self._secrets = secrets
        self._head: list[str] = []
        self._head_bytes = 0
        self._head_is_full = False
        self._tail: deque[tuple[str, int]] = deque()
        self._tail_bytes = 0
        self._left_out = 0
        self._lock = threading.Lock()
        self.version = 0
        """Grows with every line."""

    def write(self, line: str) -> None:
        line = visible(masked(line, self._secrets))
        if len(line) > self.LONGEST_LINE:
            line = f"{line[: self.LONGEST_LINE]}… ({len(line) - self.LONGEST_LINE} more characters)"
        size = len(line.encode("utf-8", "replace")) + 1
        with self._lock:
            self.version += 1
            if not self._head_is_full and self._head_bytes + size <= self._half:
                self._head.append(line)
                self._head_bytes += size
                return
            self._head_is_full = True
            self._tail.append((line, size))
            self._tail_bytes += size
            while self._tail_bytes > self._half and len(self._tail) > 1:
                self._tail_bytes -= self._tail.popleft()[1]
                self._left_out += 1

    def text(self) -> str:
        """Return the lines, with a note where some were left out."""
        with self._lock:
            lines = list(self._head)
            if self._left_out:
                lines.append(f"… {self._left_out} line{'s' if self._left_out != 1 else ''} left out here …")
            lines += [line for line, _ in self._tail]
        return "\n".join(lines)
