"""The clock of SQL in tests: it stands where a test puts it, on Django's connection of the calling thread."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Any

from django.db.backends.signals import connection_created

from scheduler.store import database, statements
from scheduler.store.sessions.drivers import driver, errors

_instant: datetime | None = None
_is_used = False


def show(instant: datetime | None) -> None:
    """
    Let ``now()`` and its like return this instant. ``None``: the time of the statement.

    In a transaction PostgreSQL's own ``now()`` stands still at its begin, which in a test may be long past. The clock
    is there for this connection and, until ``remove``, for further ones of the same database.
    """
    global _instant, _is_used
    _instant, _is_used = instant, True
    database.connection().ensure_connection()
    _prepare(_raw())


def server_now() -> datetime:
    """Return the time on the clock of the server."""
    ((now,),) = _execute(_raw(), "server_now")
    instant: datetime = now
    return instant


def remove() -> None:
    """Give the session PostgreSQL's own clock again. It is safe to call it when no clock was shown."""
    global _instant, _is_used
    is_used, _instant, _is_used = _is_used, None, False
    if is_used and database.connection().connection is not None:
        # Not through Django's cursor: a framework may have closed the database to tests already. Within a transaction
        # that is broken it fails, and the rollback does the same.
        with contextlib.suppress(errors.Error):
            _execute(_raw(), "remove_test_clock")


def _prepare(session: Any) -> None:
    shown = {"instant": "" if _instant is None else _instant.isoformat()}
    ((_, is_installed),) = _execute(session, "set_test_clock", shown)
    if not is_installed:
        _execute(session, "install_test_clock")


def _execute(session: Any, statement: str, parameters: dict[str, str] | None = None) -> list[tuple[Any, ...]]:
    with driver.open_cursor(session) as cursor:
        driver.read_plainly(cursor)
        cursor.execute(statements.load(statement), parameters)
        return driver.fetch(cursor)  # type: ignore[no-any-return]


def _raw() -> Any:
    session = database.connection().connection
    return getattr(session, "driver_connection", session)


def _follow(*, connection: Any, **_facts: Any) -> None:
    """Let a connection that is opened meanwhile have the same clock."""
    if _is_used and connection.vendor == "postgresql" and connection.alias == database.tables_alias():
        session = connection.connection
        _prepare(getattr(session, "driver_connection", session))


connection_created.connect(_follow, dispatch_uid="scheduler.store.test_clock")
