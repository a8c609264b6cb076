"""Pages that name a test, a file or another page must not outlive it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(CHECKOUT.glob("*.md")), *sorted((CHECKOUT / "docs").rglob("*.md"))]

_TEST = re.compile(r"`(tests/[\w./]+)((?:::\w+)*)`")
_LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)\s#]+)(?:#[^)\s]*)?\)")
_TABLE = re.compile(r"\| shown by \|\n\|[-|]+\|\n((?:\|.+\n)+)")


@cache
def names_in(file: Path) -> dict[str, set[str]]:
    """Return the functions of each class of a module; those of none under the empty name."""
    found: dict[str, set[str]] = {"": set()}
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            found[""].add(node.name)
    return found


def missing(text: str) -> list[str]:
    """Return the tests that a text names and that do not exist."""
    return [path + inside for path, inside in _TEST.findall(text) if not exists(CHECKOUT / path, inside)]


def exists(file: Path, inside: str) -> bool:
    if not file.exists():
        return False
    _, *parts = inside.split("::")
    if not parts:
        return True
    names = names_in(file)
    group, *rest = parts if parts[0] in names else ["", *parts]
    return group in names and set(rest) <= names[group]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
class TestAPage:
    def test_names_tests_that_exist(self, page: Path) -> None:
        assert missing(page.read_text()) == []

    def test_links_to_files_that_exist(self, page: Path) -> None:
        links = _LINK.findall(page.read_text())

        assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["failures.md", "security.md"])
class TestATable:
    def test_shows_each_of_its_rows(self, name: str) -> None:
        tables = _TABLE.findall((CHECKOUT / "docs" / name).read_text())

        rows = [row.strip("|").split(" | ") for table in tables for row in table.splitlines()]
        assert len(rows) > 15
        assert {len(row) for row in rows} == {3}
        assert [what for what, _, by in rows if not re.search(r"`tests/|\]\(evidence/|not shown: ", by)] == []


class TestMissing:
    def test_finds_what_is_gone(self) -> None:
        here = "tests/unit/test_docs_name_what_exists.py"
        there = [f"`{here}`", f"`{here}::TestMissing`", f"`{here}::TestMissing::test_finds_what_is_gone`"]
        gone = [f"{here}::TestGone", f"{here}::TestMissing::test_gone", "tests/unit/test_gone.py::TestMissing"]

        assert missing(" ".join([*there, *(f"`{name}`" for name in gone)])) == gone
