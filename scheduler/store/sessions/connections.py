"""A node's own sessions with PostgreSQL: opened when needed, dropped when broken, never shared between threads."""

from __future__ import annotations

import logging
import os
import socket
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from scheduler import conf
from scheduler.core import reasons
from scheduler.errors import DatabaseUnavailable, StatementCancelled, ValueRefused
from scheduler.loops import Periodic
from scheduler.store import database, statements
from scheduler.store.sessions import opening
from scheduler.store.sessions.drivers import driver, errors, sqlstate
from scheduler.store.sessions.transaction import Transaction
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)

Row = tuple[Any, ...]

_WATCH_SECONDS = 0.25

_OF_ROWS = ("P0", "XX", "54")
"""Classes of errors that concern a statement and its rows, not the session: raised by a trigger, internal, a limit."""

_CANCELLED = ("57014", "55P03", "40P01")
"""A statement that took too long, waited too long for a lock, or would have waited for ever."""


_PLANNED_ELSEWHERE = {"26000", "42P05"}
"""A planned statement is missing in the session, or is there before it was planned: a pooler leads to several."""


class Connection:
    """One session in autocommit mode, for one thread. It connects again by itself at the next use."""

    def __init__(self, *, purpose: str, answer_seconds: float | None = None) -> None:
        self.purpose = purpose
        """Shown in ``pg_stat_activity.application_name``."""
        self._answer_seconds = answer_seconds
        self._asked_at: float | None = None
        self._asking = threading.Lock()
        self._connection: Any = None
        self.opened = 0
        """Number of times that it connected."""

        self._set_limits: dict[tuple[float | None, bool], str] = {}
        self._plans = statements.Plans()
        with _changing_known:
            _known.add(self)

    @property
    def is_open(self) -> bool:
        return self._connection is not None and not self._connection.closed

    def execute(self, statement: str, **parameters: Any) -> list[Row]:
        """
        Run ``sql/<statement>.sql`` and return its rows.

        :raises DatabaseUnavailable: the session is lost, and its transaction is rolled back
        :raises StatementCancelled: it took too long or waited too long for locked rows, and is rolled back
        :raises ValueRefused: PostgreSQL cannot store one of the parameters
        """
        return self._run(statements.load(statement), parameters)

    def execute_whole(
        self, statement: str, *, lock_seconds: float, is_planned: bool = False, **parameters: Any
    ) -> list[Row]:
        """
        Run a statement in one round trip, as a transaction that need not last: ``is_lasting=False`` of ``transaction``.

        ``is_planned``: the session plans it once, on indexes, as it is planned longer than it runs, unless a pooler in
        transaction mode stands between. An error ends the session, so that the node compares what was committed before
        its answer was lost or could not be read.
        """
        self.raw()
        sql = self._plans.sql(statement) if is_planned else statements.load(statement)
        try:
            return self._run(self._limits(lock_seconds=lock_seconds, is_lasting=False) + sql, parameters)
        except BaseException as error:
            self.close()
            if not is_planned or _PLANNED_ELSEWHERE.isdisjoint((sqlstate(error), sqlstate(error.__cause__))):
                raise
        self._plans.are_kept = False
        return self.execute_whole(statement, lock_seconds=lock_seconds, **parameters)

    @contextmanager
    def transaction(self, *, lock_seconds: float | None = None, is_lasting: bool = True) -> Iterator[Transaction]:
        """
        Open a transaction at the first statement, bounded by the claim's time limits, and commit it at the end.

        ``lock_seconds`` is the longest wait for a row. By default it is that of a claim. Without ``is_lasting`` the
        commit does not wait for the disk: a crash of the server may undo it, unless a later commit did wait.

        :raises DatabaseUnavailable: as ``execute``, also when the answer to COMMIT is lost
        """
        transaction = Transaction(self, lock_seconds=lock_seconds, is_lasting=is_lasting)
        try:
            yield transaction
            transaction.commit()
        except BaseException:
            transaction.roll_back()
            raise

    def raw(self) -> Any:
        """Return the driver's connection, opened if need be."""
        if not self.is_open:
            self._open()
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def limits(self, *, lock_seconds: float | None = None, is_lasting: bool = True) -> str:
        """Open a transaction that a frozen node cannot keep open."""
        idle_ms = int(conf.get().statement_timeout_seconds * 1000)
        return f"BEGIN;SET LOCAL idle_in_transaction_session_timeout = {idle_ms};" + self._limits(
            lock_seconds=lock_seconds, is_lasting=is_lasting
        )

    def _limits(self, *, lock_seconds: float | None, is_lasting: bool) -> str:
        """Limit the statements of the present transaction: with ``SET LOCAL``, as poolers need it."""
        if (lock_seconds, is_lasting) not in self._set_limits:
            settings = conf.get()
            longest = settings.lock_timeout_seconds
            lock_ms = int(1000 * (longest if lock_seconds is None else min(lock_seconds, longest)))
            self._set_limits[lock_seconds, is_lasting] = (
                f"SET LOCAL statement_timeout = {int(settings.statement_timeout_seconds * 1000)};"
                f"SET LOCAL lock_timeout = {lock_ms};" + ("" if is_lasting else "SET LOCAL synchronous_commit = off;")
            )
        return self._set_limits[lock_seconds, is_lasting]

    def end_silent_session(self) -> bool:
        """
        Close the session if the server has owed an answer for too long.

        Called by another thread. The thread that waits for the answer gets ``DatabaseUnavailable``. Other checks miss a
        half-open connection as long as its other end, or a proxy, acknowledges the packets.
        """
        with self._asking:
            if self._asked_at is None or not self.is_open:
                return False
            limit = self._answer_seconds or conf.get().answer_timeout_seconds
            if time.monotonic() - self._asked_at < limit:
                return False
            self._asked_at = None
            with socket.socket(fileno=os.dup(self._connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)
        logger.warning(events.DATABASE_SILENT, extra={"session": self.purpose, "seconds": limit})
        return True

    @contextmanager
    def _awaiting_an_answer(self) -> Iterator[None]:
        with self._asking:
            self._asked_at = time.monotonic()
        try:
            yield
        finally:
            with self._asking:
                self._asked_at = None

    def _run(self, sql: str, parameters: dict[str, Any]) -> list[Row]:
        session = self.raw()
        try:
            with self._awaiting_an_answer(), driver.open_cursor(session) as cursor:
                cursor.execute(sql, parameters)
                return driver.fetch(cursor)  # type: ignore[no-any-return]
        except (errors.DataError, ValueError) as error:
            raise ValueRefused(f"The database refused a value: {error}") from error
        except (errors.ProgrammingError, errors.IntegrityError, errors.NotSupportedError):
            raise  # a fault of ours: a new session would not mend it
        except errors.Error as error:
            state = sqlstate(error)
            if state[:2] in _OF_ROWS:
                raise
            # A cancelled statement leaves a sound session, but telling the cases apart gains nothing. A server that
            # became read-only after a failover is among them: another one may answer the next connection.
            self.close()
            if state in _CANCELLED:
                raise StatementCancelled(str(error).strip()) from error
            raise DatabaseUnavailable(str(error).strip() or "The connection to the database was lost.") from error

    def _open(self) -> None:
        with self._awaiting_an_answer():
            try:
                opening.open_session(alias=database.sessions_alias(), purpose=self.purpose, opened=self._hold)
            except DatabaseUnavailable:
                self.close()
                raise

    def _hold(self, session: Any) -> None:
        """From here on the watchdog sees a server that does not answer."""
        self._connection = session
        self._plans.forget()
        self.opened += 1


def open_all(sessions: Sequence[Connection]) -> None:
    """
    Open all of them or none.

    :raises DatabaseUnavailable: the server has too little room, and all were closed
    """
    try:
        for session in sessions:
            session.raw()
    except DatabaseUnavailable:
        for session in sessions:
            session.close()
        raise


_known: weakref.WeakSet[Connection] = weakref.WeakSet()
_changing_known = threading.Lock()


def _all_known() -> list[Connection]:
    """Other threads may make connections meanwhile."""
    with _changing_known:
        return list(_known)


class Watchdog(Periodic):
    """A thread that ends sessions whose server does not answer, so that no thread waits for it for ever."""

    def __init__(self) -> None:
        super().__init__(name="scheduler-watchdog", fault=events.WATCHDOG_FAILED, seconds=_WATCH_SECONDS)

    def do(self) -> None:
        for connection in _all_known():
            try:
                connection.end_silent_session()
            except (OSError, errors.Error):
                logger.debug(events.DATABASE_SESSION_ENDED_BY_ITSELF, exc_info=True)
            except Exception:  # the other sessions must be watched too
                logger.exception(events.WATCHDOG_FAILED, extra={"session": connection.purpose})


def concerns_rows(error: Exception) -> bool:
    """Return whether an error may come from single rows, so that others succeed, not from the session or program."""
    if sqlstate(error).startswith("42"):  # the statement does not fit the tables
        return False
    return isinstance(error, StatementCancelled | ValueRefused | errors.Error | ArithmeticError | ValueError)


def array(values: Sequence[object]) -> str:
    """
    Write a PostgreSQL array of numbers, booleans, UUIDs or ``None`` as one literal.

    One string is parsed far faster than ``ARRAY[…]`` with a constant for each element. No value may hold a comma,
    a brace, a quote or a backslash.
    """
    written = ",".join(map(str, values))
    return "{" + (written.replace("None", "NULL") if None in values else written) + "}"


def instants(values: Sequence[Any]) -> str:
    """Write a ``timestamptz[]`` as one literal."""
    return array(values if None in values else list(map(datetime.isoformat, values)))


def texts(values: Sequence[str | None]) -> str:
    """Write a ``text[]`` as one literal, whatever the texts hold."""
    if values and None not in values:
        plain = '","'.join(values)  # type: ignore[arg-type]
        if "\\" not in plain and plain.count('"') == 2 * (len(values) - 1):
            return f'{{"{plain}"}}'
    return "{" + ",".join("NULL" if value is None else _quoted(value) for value in values) + "}"


def reason_columns(given: Sequence[str | None]) -> dict[str, str | None]:
    """
    Return ``reason_codes`` and ``reason_params`` of a statement, an array each, with ``NULL`` for missing reasons.
    """
    if not any(given):  # most runs have no reason
        return {"reason_codes": None, "reason_params": None}
    return {
        "reason_codes": texts([reasons.code_of(reason) for reason in given]),
        "reason_params": texts([reasons.params_json(reason) for reason in given]),
    }


def _quoted(text: str) -> str:
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if '"' in text:
        text = text.replace('"', '\\"')
    return f'"{text}"'
