"""Sentences about sources and pages as data: message and values are stored, and rendered in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.messages import Message, parts_of, phrase, phrase_of

_LONGEST_VALUE = 500


def as_data(sentence: str) -> dict[str, Any]:
    """Return the message and the values of a sentence. A text without values, such as a library's, is its own value."""
    parts = parts_of(sentence)
    if parts is None:
        return {"message": "{text}", "values": {"text": str(sentence)[:2000]}}
    message, many, values = parts
    data: dict[str, Any] = {"message": message, "values": {name: _plain(value) for name, value in values.items()}}
    return data if many is None else data | {"many": many}


def from_data(data: Mapping[str, Any]) -> str:
    """Return the sentence that ``as_data`` described, or an empty string for an empty object."""
    if not data:
        return ""
    values: dict[str, Any] = {
        name: from_data(value) if isinstance(value, dict) else value for name, value in data["values"].items()
    }
    if "many" in data:
        number = values.pop("number")
        return phrase_of(data["message"], data["many"], number=number, **values)
    return phrase(data["message"], **values)


def _plain(value: object) -> object:
    if isinstance(value, Message):
        return as_data(value)
    return value if isinstance(value, int | float | bool) else str(value)[:_LONGEST_VALUE]
