"""JSON Feed (jsonfeed.org), versions 1 and 1.1, into the same raw entries as feedparser gives."""

from __future__ import annotations

import json
from typing import Any


def raw_entries(document: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """
    Return the facts about the feed, and its entries with the keys of feedparser.

    :raises ValueError: it is not a JSON Feed
    """
    given = json.loads(document.lstrip("\ufeff"))
    items = given.get("items") if isinstance(given, dict) else None
    if not isinstance(items, list):
        raise ValueError("it has no list of items")
    feed = {"language": _text(given.get("language")), "next": _text(given.get("next_url"))}
    return feed, [_entry(item, given) for item in items if isinstance(item, dict)]


def _entry(item: dict[str, Any], feed: dict[str, Any]) -> dict[str, Any]:
    plain, markup = _text(item.get("content_text")), _text(item.get("content_html"))
    content = {"value": markup or plain, "type": "text/html" if markup else "text/plain"}
    attachments = _list(item.get("attachments"))
    links = [
        {"rel": "enclosure", "href": _text(attachment.get("url")), "type": _text(attachment.get("mime_type"))}
        for attachment in attachments
        if isinstance(attachment, dict)
    ]
    return {
        "id": _text(item.get("id")),
        "link": _text(item.get("url")) or _text(item.get("external_url")),
        "links": links,
        "title": _text(item.get("title")),
        "title_detail": {"type": "text/plain"},
        "summary": _text(item.get("summary")),
        "summary_detail": {"type": "text/plain"},
        "content": [content] if content["value"] else [],
        "authors": _authors(item) or _authors(feed),
        "published": _text(item.get("date_published")) or _text(item.get("date_modified")),
        "language": _text(item.get("language")),
    }


def _authors(given: dict[str, Any]) -> list[dict[str, str]]:
    people = _list(given.get("authors")) or [given.get("author")]
    return [{"name": _text(person.get("name"))} for person in people if isinstance(person, dict)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    """Feeds write numbers where the standard asks for text."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
