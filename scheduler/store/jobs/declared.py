"""Declared jobs as they are remembered, and the lock that lets one synchronisation write at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from scheduler.models import Declaration
from scheduler.store import database, statements


def lock() -> None:
    """Wait for other synchronisations. The lock lasts until the caller's transaction ends."""
    with database.cursor() as cursor:
        cursor.execute(statements.load("lock_declarations"))


def remember(*, rows: Sequence[Mapping[str, Any]]) -> None:
    """
    Write rows, given by column, in one statement. They replace what was remembered of jobs that are known already.
    """
    if not rows:
        return
    with database.cursor() as cursor:
        cursor.execute(_statement(), [json.dumps(rows, default=datetime.isoformat)])


def _columns() -> list[str]:
    return [str(field.column) for field in Declaration._meta.local_concrete_fields if not field.primary_key]


@cache
def _statement() -> str:
    """Return the statement that writes rows given as JSON. The ORM takes three times as long for it."""
    table, columns = Declaration._meta.db_table, _columns()
    names = ", ".join(f'"{column}"' for column in columns)
    assignments = ", ".join(f'"{column}" = excluded."{column}"' for column in columns if column != "job_key")
    return (
        f"INSERT INTO {table} ({names}) "  # noqa: S608 - names of our own table and columns
        f"SELECT {names} FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb) "
        f"ON CONFLICT (job_key) DO UPDATE SET {assignments}"
    )
