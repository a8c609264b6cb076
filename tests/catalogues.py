"""Reads the files of translations, without the tools of gettext."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CATALOGUES = tuple(ROOT / app / "locale/es/LC_MESSAGES/django.po" for app in ("scheduler", "openlearn"))

_LINE = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr(?:\[\d\])?) (".*")')


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    msgid: str
    plural: str | None
    context: str | None
    said: tuple[str, ...]
    """The translation: one, or one for each form of the plural."""

    is_fuzzy: bool

    @property
    def key(self) -> str:
        """The name under which gettext keeps it."""
        return self.msgid if self.context is None else f"{self.context}\x04{self.msgid}"


def read(file: Path) -> list[Entry]:
    """Return the entries of a ``.po`` file, its head excluded."""
    found = [_entry(block) for block in file.read_text(encoding="utf-8").split("\n\n")]
    return [entry for entry in found if entry is not None and entry.msgid]


def _entry(block: str) -> Entry | None:
    parts: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if line.startswith("#"):
            continue
        if match := _LINE.fullmatch(line):
            name = match[1]
            parts[name] = ast.literal_eval(match[2])
        elif line:
            parts[name] += ast.literal_eval(line)
    if "msgid" not in parts:
        return None
    return Entry(
        msgid=parts["msgid"],
        plural=parts.get("msgid_plural"),
        context=parts.get("msgctxt"),
        said=tuple(text for name, text in sorted(parts.items()) if name.startswith("msgstr")),
        is_fuzzy=any(line.startswith("#,") and "fuzzy" in line for line in block.splitlines()),
    )
