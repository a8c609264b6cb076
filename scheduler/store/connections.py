"""A node's own sessions with PostgreSQL: opened when needed, dropped when broken, never shared between threads."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
from django.db import connections

from scheduler import conf
from scheduler.errors import DatabaseUnavailable, ValueRefused
from scheduler.store import statements

logger = logging.getLogger(__name__)

Row = tuple[Any, ...]


class Connection:
    """One session in autocommit mode, for one thread. It connects again by itself at the next use."""

    def __init__(self, *, purpose: str) -> None:
        self.purpose = purpose
        """Shown in ``pg_stat_activity.application_name``."""
        self._connection: Any = None
        self._begin = ""

    @property
    def is_open(self) -> bool:
        return self._connection is not None and not self._connection.closed

    def execute(self, statement: str, **parameters: Any) -> list[Row]:
        """
        Run ``sql/<statement>.sql`` and return its rows; empty when it has none.

        :raises DatabaseUnavailable: the session is gone, or was cancelled; what was begun is rolled back
        :raises ValueRefused: PostgreSQL cannot store one of the parameters
        """
        return self._run(statements.load(statement), parameters)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """
        Open a transaction at the first statement, bounded by the claim's time limits, and commit it at the end.

        :raises DatabaseUnavailable: as ``execute``; a lost answer to COMMIT is among them
        """
        transaction = Transaction(self)
        try:
            yield transaction
            transaction.commit()
        except BaseException:
            transaction.roll_back()
            raise

    def raw(self) -> Any:
        """Return the psycopg2 connection, opened if need be."""
        if not self.is_open:
            self._connection = self._open()
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def limits(self) -> str:
        """Open a transaction that a frozen node cannot keep open: with ``SET LOCAL``, as poolers need it."""
        if not self._begin:
            settings = conf.get()
            statement_ms = int(settings.statement_timeout_seconds * 1000)
            self._begin = (
                "BEGIN;"
                f"SET LOCAL idle_in_transaction_session_timeout = {statement_ms};"
                f"SET LOCAL statement_timeout = {statement_ms};"
                f"SET LOCAL lock_timeout = {int(settings.lock_timeout_seconds * 1000)};"
            )
        return self._begin

    def _run(self, sql: str, parameters: dict[str, Any]) -> list[Row]:
        try:
            with self.raw().cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall() if cursor.description is not None else []
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            # A cancelled statement leaves a sound session, but telling the cases apart gains nothing.
            self.close()
            raise DatabaseUnavailable(str(error).strip() or "The connection to the database was lost.") from error
        except (psycopg2.DataError, ValueError) as error:
            raise ValueRefused(f"The database refused a value: {error}") from error

    def _open(self) -> Any:
        django_connection = connections[conf.get().database]
        parameters = django_connection.get_connection_params()
        parameters.pop("cursor_factory", None)
        parameters.pop("context", None)
        parameters["application_name"] = f"scheduler {self.purpose}"
        try:
            connection = psycopg2.connect(**parameters)
            connection.set_session(autocommit=True)
            with connection.cursor() as cursor:
                cursor.execute("SET timezone = 'UTC'")
        except psycopg2.OperationalError as error:
            raise DatabaseUnavailable(str(error).strip()) from error
        return connection


class Transaction:
    """Statements that are committed together."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_open = False

    def execute(self, statement: str, **parameters: Any) -> list[Row]:
        """Run ``sql/<statement>.sql``; the first one opens the transaction in the same round trip."""
        sql = statements.load(statement)
        if not self._is_open:
            sql = self._connection.limits() + sql
            self._is_open = True
        return self._connection._run(sql, parameters)

    def commit(self) -> None:
        if self._is_open:
            self._connection._run("COMMIT", {})
            self._is_open = False

    def roll_back(self) -> None:
        if self._is_open:
            self._is_open = False
            if self._connection.is_open:
                try:
                    self._connection._run("ROLLBACK", {})
                except DatabaseUnavailable:
                    logger.debug("scheduler.database.rollback_failed", exc_info=True)


def array(values: Sequence[object]) -> str:
    """
    Write a PostgreSQL array of numbers, booleans, UUIDs or ``None`` as one literal.

    One string is parsed far faster than ``ARRAY[…]`` with a constant for each element. No value may hold a comma,
    a brace, a quote or a backslash.
    """
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"


def instants(values: Sequence[Any]) -> str:
    """Write a ``timestamptz[]`` as one literal."""
    return "{" + ",".join("NULL" if value is None else value.isoformat() for value in values) + "}"


def texts(values: Sequence[str | None]) -> str:
    """Write a ``text[]`` as one literal, whatever the texts hold."""
    return "{" + ",".join("NULL" if value is None else _quoted(value) for value in values) + "}"


def _quoted(text: str) -> str:
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if '"' in text:
        text = text.replace('"', '\\"')
    return f'"{text}"'
