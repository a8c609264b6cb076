"""The session of a node that has none of its own: Django's connection of this thread, within its transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scheduler.errors import ValueRefused
from scheduler.store import database
from scheduler.store.sessions.connections import Connection, Row
from scheduler.store.sessions.drivers import driver, errors
from scheduler.store.sessions.transaction import Transaction


class DjangoSession(Connection):
    """
    Runs the statements of a node where tests see their rows: within the transaction that rolls back at their end.

    Each statement has a savepoint, so that one that the server rejects leaves the transaction usable. Isolation and
    time limits are those of the caller.
    """

    def __init__(self) -> None:
        super().__init__(purpose="django")

    def execute_whole(
        self, statement: str, *, lock_seconds: float, is_planned: bool = False, **parameters: Any
    ) -> list[Row]:
        return self.execute(statement, **parameters)

    @contextmanager
    def transaction(self, *, lock_seconds: float | None = None, is_lasting: bool = True) -> Iterator[Transaction]:
        with database.atomic():
            yield _Savepoint(self)

    def raw(self) -> Any:
        connection = database.connection()
        connection.ensure_connection()
        return getattr(connection.connection, "driver_connection", connection.connection)

    def close(self) -> None:
        """Leave the connection open: it is the caller's."""

    def _run(self, sql: str, parameters: dict[str, Any]) -> list[Row]:
        session = self.raw()
        try:
            with database.atomic(), driver.open_cursor(session) as cursor:
                driver.read_plainly(cursor)
                cursor.execute(sql, parameters)
                return driver.fetch(cursor)  # type: ignore[no-any-return]
        except (errors.DataError, ValueError) as error:
            raise ValueRefused(f"The database refused a value: {error}") from error


class _Savepoint(Transaction):
    """A part of the caller's transaction."""

    def execute(self, statement: str, **parameters: Any) -> list[Row]:
        return self._connection.execute(statement, **parameters)
