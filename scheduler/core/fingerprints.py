"""Fingerprints of errors: those that differ in numbers, addresses and ids only have the same."""

from __future__ import annotations

import re

MOST_CHARS = 300
"""Characters of a fingerprint. One of this length stands for all errors that begin so."""

MOST_NUMBERS = 30
"""Further ones are not compared: a regular expression may not grow without a limit."""

_NUMBER = r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+"
_NUMBERS = re.compile(_NUMBER, re.IGNORECASE)


def headline(error: str) -> str:
    """Return the first line, cut."""
    return _first_line(error)[:MOST_CHARS]


def of(error: str) -> str:
    """Return the first line with ``#`` in place of each number."""
    return _NUMBERS.sub("#", _first_line(error))[:MOST_CHARS]


def _first_line(error: str) -> str:
    return error.strip().partition("\n")[0]


def pattern(fingerprint: str) -> str:
    """
    Return a regular expression for the errors with this fingerprint.

    Python and PostgreSQL understand it in the same way. A ``#`` of the error itself is taken for a number.
    """
    parts = fingerprint[:MOST_CHARS].split("#")
    is_whole = len(fingerprint) < MOST_CHARS and len(parts) <= MOST_NUMBERS
    numbered = f"(?:{_NUMBER}|#)".join(map(re.escape, parts[:MOST_NUMBERS]))
    return rf"^\s*{numbered}" + (r"(?:\n|\s*$)" if is_whole else "")
