"""The help for each argument in a docstring: ``:param name: …`` and the ``Args:`` of Google's style."""

from __future__ import annotations

import inspect
import re

_PARAM = re.compile(r":param(?:eter)?\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)")
_SECTION = re.compile(r"(?:Args|Arguments|Parameters):")
_ITEM = re.compile(r"\*{0,2}(\w+)(?:\s*\([^)]*\))?\s*:\s+(.*)")


def help_of_arguments(docstring: str) -> dict[str, str]:
    """Return the text of each argument that a docstring describes, on one line."""
    found: dict[str, list[str]] = {}
    lines = inspect.cleandoc(docstring).splitlines()
    current: list[str] | None = None
    section = None
    """The indent of the items in ``Args:``, once it is known."""

    for line in lines:
        text, indent = line.strip(), len(line) - len(line.lstrip())
        if match := _PARAM.match(text):
            current, section = found.setdefault(match[1], [match[2]]), None
        elif _SECTION.fullmatch(text):
            current, section = None, -1
        elif not text or text.startswith(":"):
            current = None
        elif section is not None and indent == 0:
            current, section = None, None
        elif section is not None and section in (-1, indent) and (match := _ITEM.match(text)):
            current, section = found.setdefault(match[1], [match[2]]), indent
        elif current is not None:
            current.append(text)
    return {name: " ".join(texts).strip() for name, texts in found.items()}
