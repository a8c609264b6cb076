"""What of a page is ours: elements with one of our classes, and what is within them. The rest is the theme's."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from django.apps import apps

IS_UNFOLD = apps.is_installed("unfold")

_VOID = frozenset(("area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"))


class OwnMarkup(HTMLParser):
    """Knows while it reads whether it is within ours."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[tuple[str, bool]] = []

    @property
    def is_ours(self) -> bool:
        return bool(self._open) and self._open[-1][1]

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        is_ours = self.is_ours or (tag != "body" and any(_is_our_class(name) for name in _classes(attrs)))
        if is_ours:
            self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append((tag, is_ours))

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close it, and what was left open in it."""
        if tag in (name for name, _ in self._open):
            while self._open.pop()[0] != tag:
                pass


def _classes(attrs: Any) -> Iterator[str]:
    for name, value in attrs:
        if name == "class" and value:
            yield from value.split()


def _is_our_class(name: str) -> bool:
    return name == "ols" or name.startswith("ols-")


def inline_code(page: str) -> list[str]:
    """What of ours a strict content policy would refuse: scripts, styles and handlers that stand within the page."""
    parser = OwnMarkup()
    parser.feed(page)
    return [
        f"<{tag} {name}>"
        for tag, attributes in parser.elements
        for name in (*attributes, *([tag] if tag == "style" or (tag == "script" and "src" not in attributes) else []))
        if name in ("style", "script") or name.startswith(("on", "x-", "hx-"))
    ]
