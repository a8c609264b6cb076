"""Every page of a site, found by following links."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from django.test import Client

WORDS = frozenset({"aria-label", "title", "placeholder", "alt", "lang", "dir", "content", "data-label"})
"""Attributes that a person reads, or hears."""

_OF_ONE = re.compile(r"(?<=/queue/task/)[^/]+|\d+|[0-9a-f-]{36}")
"""The parts of a path that name one row, or one task."""


@dataclass(kw_only=True)
class Page(HTMLParser):
    """The addresses of a page and the attributes that machines read."""

    addresses: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name in ("href", "action", "formaction") or value.startswith("/"):
                self.addresses.append(value)
            if name not in WORDS and not (tag == "meta" or dict(attrs).get("name") == "csrfmiddlewaretoken"):
                self.attributes.append((tag, name, value))


def crawl(client: Client, *, start: str, most: int = 400) -> dict[str, Any]:
    """Follow every link below an address; return the pages by their address."""
    found: dict[str, Any] = {}
    waiting = deque([start])
    seen = {start}
    kinds: set[str] = set()
    while waiting and len(found) < most:
        address = waiting.popleft()
        answer = client.get(address)
        found[address] = answer
        if answer.streaming or answer.status_code == 405 or "text/html" not in answer.headers.get("Content-Type", ""):
            continue
        page = read(answer)
        for other in page.addresses:
            parts = urlsplit(other)
            path = parts.path if parts.path.startswith("/") or not parts.path else None
            if path is None or parts.netloc or "logout" in path or not path.startswith((start, "/admin/")):
                continue
            target = f"{path or urlsplit(address).path}{'?' + parts.query if parts.query else ''}"
            # One page of each kind: lists have endless combinations of filters, and there is a page for each task.
            kind = _OF_ONE.sub("#", path) + ",".join(sorted(re.findall(r"(?:^|&)(\w+)=", parts.query)))
            if target not in seen and kind not in kinds:
                seen.add(target)
                kinds.add(kind)
                waiting.append(target)
    return found


def read(answer: Any) -> Page:
    page = Page()
    page.feed(answer.content.decode())
    return page
