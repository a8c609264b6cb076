"""Pages, comments and docstrings that name a test, a file, a module or another page must not outlive it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(CHECKOUT.glob("*.md")), *sorted((CHECKOUT / "docs").rglob("*.md"))]

_TEST = re.compile(r"`(tests/[\w./]+)((?:::\w+)*)`")
_LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)\s#]+)(?:#[^)\s]*)?\)")
_FILE = re.compile(r"(?<![\w/.:<>{}%*@~-])((?:[\w-]+/)+[\w-]+\.(?:py|sql|md))\b(?!::)")
"""A path with a folder, as comments and pages name modules, statements and pages."""

_MODULE = re.compile(r"``((?:core|store|engine|execution|services|telemetry|outgoing|compat)(?:\.\w+)+)``")
"""A module of the scheduler, as docstrings name it, perhaps with a name in it."""

_FOLDERS = ("", "scheduler", "scheduler/store", "openlearn", "openlearn/scraping", "docs")
"""Paths are relative to one of these."""

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


def remarks_of(file: Path) -> Iterator[str]:
    """Yield the comments and docstrings of a module, or of a file in SQL."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".sql":
        yield from re.findall(r"--.*", text)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def missing_files(text: str) -> set[str]:
    """Return the files that a text names and that are nowhere."""
    return {
        path
        for path in _FILE.findall(text)
        if path.split("/")[0] not in OTHER_PROJECTS and not any((CHECKOUT / each / path).exists() for each in _FOLDERS)
    }


def missing_modules(text: str) -> set[str]:
    """Return the modules of the scheduler, or names in them, that a text names and that are nowhere."""
    return {name for name in _MODULE.findall(text) if not is_in_the_scheduler(name)}


def is_in_the_scheduler(name: str) -> bool:
    path, _, last = name.replace(".", "/").rpartition("/")
    folder = CHECKOUT / "scheduler" / path
    if (folder / last).is_dir() or (folder / f"{last}.py").exists():
        return True
    holder = folder.with_suffix(".py") if folder.with_suffix(".py").exists() else folder / "__init__.py"
    return holder.exists() and re.search(rf"\b{last}\b", holder.read_text(encoding="utf-8")) is not None


OTHER_PROJECTS = {"shop", "catalog"}
"""The first folders of paths in examples."""

SOURCES = [
    file
    for folder in ("scheduler", "openlearn", "tests")
    for file in sorted((CHECKOUT / folder).rglob("*"))
    if file.suffix in (".py", ".sql") and "migrations" not in file.parts
]


class TestAComment:
    def test_names_files_and_modules_that_exist(self) -> None:
        found = {
            f"{file.relative_to(CHECKOUT)}: {name}"
            for file in SOURCES
            if file != Path(__file__)
            for remark in remarks_of(file)
            for name in missing_files(remark) | (missing_modules(remark) if "scheduler" in file.parts else set())
        }

        assert found == set()

    def test_that_names_what_is_gone_is_found(self) -> None:
        assert missing_files("see store/changes.py and store/jobs/authorship.py") == {"store/changes.py"}
        assert missing_modules("``store.changes`` and ``store.jobs.authorship.Author``") == {"store.changes"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
class TestAPage:
    def test_names_files_that_exist(self, page: Path) -> None:
        named = missing_files(page.read_text())

        assert {path for path in named if not (page.parent / path).exists() and "my_statement" not in path} == set()

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
