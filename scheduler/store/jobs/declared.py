"""The lock that lets one synchronisation of declared jobs write at a time."""

from __future__ import annotations

from scheduler.store import database, statements


def lock() -> None:
    """Wait for other synchronisations. The lock lasts until the caller's transaction ends."""
    with database.cursor() as cursor:
        cursor.execute(statements.load("lock_declarations"))
