"""Counting the rows that statements bring into a process: what a node holds must not grow with jobs and runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db.models.sql.compiler import SQLCompiler

from scheduler.store import database, statements
from scheduler.store.sessions import connections
from scheduler.store.sessions.connections import Connection, Row


class Fetched:
    """The most rows that one execution of each statement returned. Safe in any thread."""

    def __init__(self) -> None:
        self.most: Counter[str] = Counter()

    def note(self, statement: str, rows: int) -> None:
        self.most[statement] = max(self.most[statement], rows)

    def above(self, limit: int) -> dict[str, int]:
        """Return the statements that returned more rows."""
        return {statement: rows for statement, rows in self.most.items() if rows > limit}


@contextmanager
def counted() -> Iterator[Fetched]:
    """Count the rows of sessions of nodes, of their statements on Django's connection, and of Django's queries."""
    fetched, run = Fetched(), Connection._run
    names = {statements.load(path.stem): path.stem for path in statements._FOLDER.glob("*.sql")}
    execute_sql = SQLCompiler.execute_sql

    def in_a_session(self: Connection, sql: str, parameters: dict[str, Any]) -> list[Row]:
        rows = run(self, sql, parameters)
        fetched.note(_name(names, sql), len(rows))
        return rows

    def by_django(self: SQLCompiler, *arguments: Any, **options: Any) -> Any:
        found = execute_sql(self, *arguments, **options)
        if found is None or isinstance(found, int | tuple) or hasattr(found, "execute"):
            return found
        chunks = [list(chunk) for chunk in found]
        fetched.note(f"a query of {self.query.model.__name__}", sum(map(len, chunks)))
        return iter(chunks)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections.Connection, "_run", in_a_session)
        patch.setattr(SQLCompiler, "execute_sql", by_django)
        patch.setattr(database, "cursor", _counting(database.cursor, names, fetched))
        yield fetched


def _counting(cursor: Callable[[], Any], names: dict[str, str], fetched: Fetched) -> Callable[[], Any]:
    def counting() -> Any:
        made = cursor()
        execute, fetchall = made.execute, made.fetchall
        last = ""

        def noting(sql: str, parameters: Any = None) -> Any:
            nonlocal last
            last = _name(names, sql)
            return execute(sql, parameters)

        def all_of_them() -> list[Row]:
            rows = list(fetchall())
            fetched.note(last, len(rows))
            return rows

        made.execute, made.fetchall = noting, all_of_them
        return made

    return counting


def _name(names: dict[str, str], sql: str) -> str:
    """The first statement of a transaction stands behind its BEGIN."""
    return names.get(sql) or next((name for text, name in names.items() if sql.endswith(text)), sql[:60])
