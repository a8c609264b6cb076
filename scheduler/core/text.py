"""Text that PostgreSQL can store, without NUL and halves of surrogate pairs."""

from __future__ import annotations


def is_storable(text: str) -> bool:
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable(text: str, *, most: int | None = None) -> str:
    """Return the text without NUL, with “?” for halves of surrogate pairs, cut to ``most`` characters."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:most]
