"""
The project's databases as the scheduler uses them: which one has the tables, and transactions on it.

The project's routers decide where the tables are. ``SCHEDULER["DATABASE"]`` names another alias only for the sessions
of nodes, where the tables' own alias leads through a pooler that cannot hold a session.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth import get_user_model
from django.db import Error, connections, router, transaction
from knox.models import get_token_model

from scheduler import conf
from scheduler.errors import DatabaseUnavailable
from scheduler.models import Job
from scheduler.store import statements
from scheduler.store.sessions.drivers import driver

_IDLE = 0
"""The transaction status of libpq: there is none."""


def tables_alias() -> str:
    """Return the alias of the database that has the jobs and the ledger."""
    alias: str = router.db_for_write(Job)
    return alias


def sessions_alias() -> str:
    """Return the alias that nodes open their own sessions by."""
    return conf.get().database or tables_alias()


def aliases() -> tuple[str, ...]:
    """Return every alias that the scheduler needs: its tables', the nodes' sessions', the users' and the tokens'."""
    others = (router.db_for_write(get_user_model()), router.db_for_write(get_token_model()))
    return tuple(dict.fromkeys((tables_alias(), sessions_alias(), *others)))


def connection() -> Any:
    """Return this thread's connection of Django with the tables."""
    return connections[tables_alias()]


def cursor() -> Any:
    return connection().cursor()


def has_transaction() -> bool:
    """Return whether the caller's transaction is open on this thread's connection, or the next statement begins one."""
    opened = connection()
    if opened.in_atomic_block or not opened.get_autocommit():
        return True
    session = opened.connection
    status: int = getattr(session, "driver_connection", session).info.transaction_status
    return status != _IDLE  # the caller may have begun one in SQL


class Statements:
    """The transaction that is open on Django's connection, for statements that nodes execute as well."""

    def execute(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Run ``sql/<statement>.sql`` and return its rows; empty when it has none."""
        with cursor() as opened:
            opened.execute(statements.load(statement), parameters)
            return list(opened.fetchall()) if opened.description else []


@contextmanager
def atomic(*, savepoint: bool = True) -> Iterator[None]:
    """
    Open a transaction on the tables, or in the one that is open a savepoint unless the caller wants none.

    Its isolation is READ COMMITTED whatever the default of the server, the database or the role: the statements lock
    the rows that they decide about, and look again at what they waited for. Within a transaction of the caller's,
    the caller's isolation stays.
    """
    is_outermost = not connection().in_atomic_block
    with transaction.atomic(using=tables_alias(), savepoint=savepoint):
        if is_outermost:
            with cursor() as opening:
                opening.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        yield


@contextmanager
def borrowed() -> Iterator[None]:
    """
    Use this thread's connection of Django's, and close it if this opened it: a thread of a node seldom needs one.

    :raises DatabaseUnavailable: an error of the database
    """
    was_open = connection().connection is not None
    try:
        yield
    except Error as error:
        raise DatabaseUnavailable(str(error).strip()) from error
    finally:
        if not was_open and not connection().in_atomic_block:
            connection().close()


def pooled_in_use() -> int:
    """Return how many connections of the pool for tasks are in use, where the backend of the tables counts them."""
    alias = tables_alias()
    if (in_use := getattr(connections[alias], "pool_in_use", None)) is not None:
        return int(in_use)
    stock = sys.modules.get("dj_db_conn_pool.core")  # imported by its backend, if the project uses it
    if stock is None or not stock.pool_container.has(alias):
        return 0
    return int(stock.pool_container.get(alias).checkedout())


def prepare_connection(*, connection: Any, **_facts: Any) -> None:
    """Let a new connection of Django's read every timestamp that the tables can hold (``connection_created``)."""
    if connection.vendor == "postgresql" and connection.alias in (tables_alias(), sessions_alias()):
        session = connection.connection
        driver.prepare_for_django(getattr(session, "driver_connection", session))
