"""
The two drivers under Django's PostgreSQL backend, psycopg2 and psycopg 3.

Django chooses: psycopg 3 where it is installed, psycopg2 otherwise. The rest of the store imports ``driver``, a module
with the same functions for either:

* ``open_cursor(session)``: a cursor that binds parameters on the client, as statements of several parts need it.
* ``fetch(cursor)``: the rows of the last part of the statement.
* ``prepare(session)``: make a node's session read its rows plainly, and listen.
* ``read_plainly(session_or_cursor)``: load JSON as Python values and timestamps as ``timestamps.clamped`` describes.
* ``prepare_for_django(session)``: the timestamps alone, in the time zone that Django reads them in.
* ``take_notifications(session)``: the channels and payloads of the notifications that have arrived. It does not wait.
"""

from __future__ import annotations

from types import ModuleType

from django.db.backends.postgresql.psycopg_any import is_psycopg3

driver: ModuleType
if is_psycopg3:
    from scheduler.store.sessions.drivers import psycopg3_driver as driver
else:
    from scheduler.store.sessions.drivers import psycopg2_driver as driver

errors: ModuleType = driver.errors
"""The driver's exceptions: ``Error``, ``OperationalError`` and the other names of PEP 249."""


def sqlstate(error: BaseException | None) -> str:
    """Return the server's code of an error, or an empty string for other errors, such as a broken connection."""
    return str(getattr(error, "pgcode", None) or getattr(error, "sqlstate", None) or "")


__all__ = ["driver", "errors", "sqlstate"]
