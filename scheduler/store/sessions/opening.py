"""
Sessions of a node: opened through Django's backend, prepared so that the defaults of the server do not matter.

Every means by which Django's own connection works serves these too: a driver's options, a service file, a role to
assume, a backend that fetches short-lived passwords, receivers of ``connection_created``. Only its pools are left out:
a node listens, beats and claims in sessions of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.utils import Error

from scheduler.errors import DatabaseUnavailable
from scheduler.store import statements
from scheduler.store.sessions.drivers import driver, errors


def open_session(*, alias: str, purpose: str, opened: Callable[[Any], None]) -> None:
    """
    Open a connection of the driver in autocommit mode, for one thread.

    :param purpose: shown in ``pg_stat_activity.application_name``
    :param opened: gets the connection before its first statement
    :raises DatabaseUnavailable: it cannot be opened, or prepared
    """
    wrapper = _wrapper(alias=alias, application_name=f"scheduler {purpose}", opened=opened)
    try:
        wrapper.ensure_connection()
        session = wrapper.connection
        driver.prepare(session)
        with driver.open_cursor(session) as cursor:
            cursor.execute(statements.load("prepare_session"))
            driver.fetch(cursor)
    except (Error, errors.Error, OSError) as error:
        raise DatabaseUnavailable(str(error).strip()) from error


def _wrapper(*, alias: str, application_name: str, opened: Callable[[Any], None]) -> Any:
    """Return a connection of Django's that no pool and no other thread knows."""
    configured = connections[alias]
    options = {name: value for name, value in configured.settings_dict["OPTIONS"].items() if name != "pool"}
    settings = {**configured.settings_dict, "OPTIONS": {**options, "application_name": application_name}}
    wrapper: Any = type(configured)(settings, alias=alias)
    connect = wrapper.get_new_connection
    if hasattr(wrapper, "_get_new_connection"):
        # As in django-db-connection-pool: Django's own way to connect stands beside that of the pool.
        connect = wrapper._get_new_connection
        wrapper._set_dbapi_autocommit = lambda autocommit: setattr(wrapper.connection, "autocommit", autocommit)

    def connect_and_report(parameters: dict[str, Any]) -> Any:
        session = connect(parameters)
        opened(session)
        return session

    wrapper.get_new_connection = connect_and_report
    return wrapper
