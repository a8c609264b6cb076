"""Answers of receivers: as data beside their English text where the scheduler wrote it, to be shown in any language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.messages import Message, decode, encode
from scheduler.untouched import json

LONGEST = 2000
"""Characters of an answer that are kept."""


def data_of(answer: str) -> dict[str, Any] | None:
    """Return an answer as JSON, or ``None`` if the receiver or a library wrote it."""
    return encode(answer) if isinstance(answer, Message) else None


def data_json(answer: str) -> str | None:
    """Return it as the text of a JSON document."""
    data = data_of(answer)
    return None if data is None else json.dumps(data, ensure_ascii=False)


def read(*, text: str, data: Mapping[str, Any] | None) -> str:
    """
    Return a stored answer: a message where the scheduler wrote it, else the text.

    A node of an older release writes the text alone: then the data beside it are of another answer.
    """
    message = decode(data.get("code", ""), data.get("params")) if data else None
    return message if message is not None and str(message)[:LONGEST] == text else text
