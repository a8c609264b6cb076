"""The headers of hand-written statements: what a reader is told is what the body does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import scheduler
from scheduler.models import Run
from scheduler.store import statements
from scheduler.store.run_columns import RUN_COLUMNS

APP = Path(scheduler.__file__).parent
SQL = sorted((APP / "store/sql").glob("*.sql"))
_TYPED = re.compile(r"\b(?!as )(\w+) (?:text|int|bigint|uuid|float8|timestamptz|jsonb|boolean)\b")
"""A parameter with its type."""

_PLACEHOLDER = re.compile(r"(?<!%)%\((\w+)\)s")


def _openers_of_choices(sql: str) -> list[str]:
    """Return the word before the outermost parenthesis that is read anew, around each limited choice of locked rows."""
    sql = re.sub(r"--.*", "", sql)
    found = []
    for locked in re.finditer("SKIP LOCKED", sql):
        at = _enclosing(sql, locked.start())
        if at is None or not re.search(r"\bLIMIT\b", sql[at : locked.start()]):
            continue
        while at is not None and sql[:at].split()[-1] == "LATERAL":
            at = _enclosing(sql, at)
        found.append("" if at is None else sql[:at].split()[-1])
    return found


def _enclosing(sql: str, at: int) -> int | None:
    depth = 0
    while at > 0:
        at -= 1
        depth += {")": 1, "(": -1}.get(sql[at], 0)
        if depth < 0:
            return at
    return None


@pytest.mark.parametrize("path", SQL, ids=lambda path: path.stem)
def test_rows_are_chosen_once_whatever_the_plan(path: Path) -> None:
    """A subquery that locks rows may be read again for each row that it is joined with, and chooses others then."""
    words = {word.rpartition("(")[2] for word in _openers_of_choices(path.read_text(encoding="utf-8"))}

    assert words <= {"MATERIALIZED", "ARRAY"}


@pytest.mark.parametrize("path", SQL, ids=lambda path: path.stem)
class TestTheHeader:
    def test_begins_with_a_sentence_and_names_locks_rows_and_index(self, path: Path) -> None:
        header = _header(path)

        assert re.match(r"-- [A-Z].*", header)
        for name in ("Locks:", "Rows:", "Index:"):
            assert f"-- {name}" in header

    def test_names_the_parameters_of_the_body(self, path: Path) -> None:
        used = set(_PLACEHOLDER.findall(statements.load(path.stem)))
        described = _section(_header(path), "Params")

        missing = {name for name in used if not re.search(rf"\b{name}\b", described)}
        assert missing == set()
        stale = {name for name in _TYPED.findall(described) if name not in used}
        assert stale == set()


class TestAStatementThatIsPlannedOnce:
    def test_numbers_its_parameters(self, monkeypatch: pytest.MonkeyPatch) -> None:
        texts = {"look": "SELECT %(second)s::int, %(first)s::text[], %(second)s::int"}
        monkeypatch.setattr(statements, "load", texts.__getitem__)

        planned = statements.planned.__wrapped__("look")

        plan, text = planned.prepare.removeprefix("PREPARE ").split(" AS ")
        assert text == "SELECT $1::int, $2::text[], $1::int;"
        assert planned.execute.endswith(f";EXECUTE {plan} (%(second)s, %(first)s)")

    def test_has_another_name_in_a_release_with_another_text(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plans = set()
        for text in ("SELECT 1", "SELECT 2"):
            monkeypatch.setattr(statements, "load", {"look": text}.__getitem__)
            plans.add(statements.planned.__wrapped__("look").execute)

        assert len(plans) == 2


class TestTheColumnsOfARun:
    WRITTEN_LATER = {
        *("id", "started_at", "cancel_requested_at", "progress", "result", "error", "rings", "rung_at"),
        "output_dropped_at",
    }

    def test_are_those_of_the_model(self) -> None:
        names = [column.name for column in RUN_COLUMNS]

        assert len(set(names)) == len(names)
        assert {*names} | self.WRITTEN_LATER == {field.column for field in Run._meta.concrete_fields}
        assert not {*names} & self.WRITTEN_LATER

    def test_are_listed_once_for_all_statements_that_insert_runs(self) -> None:
        inserts = re.compile(r"INSERT\s+INTO\s+\"?scheduler_run\b(?!\w)\"?\s*(.{0,25})", re.IGNORECASE | re.DOTALL)
        found = {
            str(file.relative_to(APP)): inserts.findall(file.read_text(encoding="utf-8"))
            for file in (*APP.rglob("*.sql"), *APP.rglob("*.py"))
            if "migrations" not in file.parts and file.name != "schema.sql"
        }
        found = {file: lists for file, lists in found.items() if lists}

        assert len(found) >= 4
        assert {text.split("\n")[0] for lists in found.values() for text in lists} == {"({columns_of_a_run})"}

    def test_are_those_of_the_functions_that_enqueue(self) -> None:
        columns = ", ".join(column.name for column in RUN_COLUMNS)
        values = ", ".join(column.enqueued_run for column in RUN_COLUMNS)
        of_one = values.replace("wanted.", "").replace("clock.now", "created_at")
        schema = " ".join((APP / "store/schema.sql").read_text(encoding="utf-8").split())

        assert schema.count("INSERT INTO scheduler_run (") == 2
        assert f"INSERT INTO scheduler_run ( {columns}) SELECT {values} FROM" in schema
        assert f"( {columns}) VALUES ({of_one});" in schema

    def test_have_one_constructor_in_python(self) -> None:
        made = re.compile(r"\b(?<!class )Run\(|\bRun\.objects\.(?:create|get_or_create|update_or_create)\(")
        writers = [
            str(file.relative_to(APP))
            for file in APP.rglob("*.py")
            if "api" not in file.parts and made.search(file.read_text(encoding="utf-8"))
        ]

        assert writers == []


def _header(path: Path) -> str:
    lines = path.read_text().splitlines()
    return "\n".join(lines[: next(number for number, line in enumerate(lines) if not line.startswith("--"))])


def _section(header: str, name: str) -> str:
    """Return a section of the header on one line; empty: it has none."""
    found = re.search(rf"^-- {name}:(.*?)(?=^-- [A-Z]\w+: |\Z)", header, re.DOTALL | re.MULTILINE)
    return "" if found is None else " ".join(found[1].replace("\n--", " ").split())
