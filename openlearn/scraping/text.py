"""Text that the database can hold."""

from __future__ import annotations

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SPACES = re.compile(r"\s+")
_LANGUAGE = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,8})*")


def storable(value: object, *, most: int | None = None) -> str:
    """Make text that PostgreSQL takes: no NUL, no lone surrogates, no more than ``most`` characters."""
    cleaned = _UNSTORABLE.sub("", str(value or ""))
    return cleaned if most is None else cleaned[:most]


def line(value: object, *, most: int) -> str:
    """One line of storable text, its white space folded."""
    return _SPACES.sub(" ", storable(value)).strip()[:most].strip()


def language(value: object) -> str:
    """A language tag in lower case, such as ``en-us``, or an empty string for other values."""
    tag = line(value, most=16).lower().replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) else ""
