"""The headers of hand-written statements: what a reader is told is what the body does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import scheduler

SQL = sorted((Path(scheduler.__file__).parent / "store/sql").glob("*.sql"))
_TYPED = re.compile(r"\b(?!as )(\w+) (?:text|int|bigint|uuid|float8|timestamptz|jsonb|boolean)\b")
"""A parameter with its type."""

_PLACEHOLDER = re.compile(r"(?<!%)%\((\w+)\)s")


@pytest.mark.parametrize("path", SQL, ids=lambda path: path.stem)
class TestTheHeader:
    def test_begins_with_a_sentence_and_names_locks_rows_and_index(self, path: Path) -> None:
        header = _header(path)

        assert re.match(r"-- [A-Z].*", header)
        for name in ("Locks:", "Rows:", "Index:"):
            assert f"-- {name}" in header

    def test_names_the_parameters_of_the_body(self, path: Path) -> None:
        used = set(_PLACEHOLDER.findall(_body(path)))
        described = _section(_header(path), "Params")

        missing = {name for name in used if not re.search(rf"\b{name}\b", described)}
        assert missing == set()
        stale = {name for name in _TYPED.findall(described) if name not in used}
        assert stale == set()


def _header(path: Path) -> str:
    lines = path.read_text().splitlines()
    return "\n".join(lines[: next(number for number, line in enumerate(lines) if not line.startswith("--"))])


def _body(path: Path) -> str:
    return "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("--"))


def _section(header: str, name: str) -> str:
    """Return a section of the header on one line; empty: it has none."""
    found = re.search(rf"^-- {name}:(.*?)(?=^-- [A-Z]\w+: |\Z)", header, re.DOTALL | re.MULTILINE)
    return "" if found is None else " ".join(found[1].replace("\n--", " ").split())
