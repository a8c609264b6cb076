"""The rules for names, descriptions and tags of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scheduler.core import error_messages, text
from scheduler.errors import InvalidName


def checked_name(name: Any) -> str:
    """:raises InvalidName: it cannot be a name"""
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 255 >= len(name) or not name.isprintable():
        raise InvalidName(
            error_messages.UNUSABLE_NAME(
                name=str(name)[:64],
            )
        )
    return name


def checked_tags(tags: Any) -> list[str]:
    """
    Return the tags as they are stored: each once, in order.

    :raises InvalidName: one cannot be a tag, or there are more than 20
    """
    if isinstance(tags, str) or not isinstance(tags, Sequence) or len(tags) > 20:
        raise InvalidName(error_messages.TAGS_IS_A_LIST(value=str(tags)[:64]))
    for tag in tags:
        if not isinstance(tag, str) or not 0 < len(tag) <= 50 or not tag.isprintable() or tag != tag.strip():
            raise InvalidName(error_messages.UNUSABLE_TAG(tag=str(tag)[:64]))
    return sorted(set(tags))


def checked_description(description: Any) -> str:
    """:raises InvalidName: it cannot be a description"""
    if not isinstance(description, str) or not text.is_storable(description):
        raise InvalidName(error_messages.DESCRIPTION_HOLDS_NUL())
    return description
