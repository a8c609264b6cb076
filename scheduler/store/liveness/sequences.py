"""
The sequences that number the rows: a copy of the database may have rows, and no number of them.

Logical replication copies rows and leaves sequences where they were. The first insertions into such a copy would get
numbers that are taken.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import Error, models
from django.db.models import Max

from scheduler.errors import DatabaseUnavailable
from scheduler.store import database, statements


def advance() -> dict[str, int]:
    """
    Move each sequence that is behind its rows to the largest number there is. Return those that were, by table.

    :raises DatabaseUnavailable: the tables cannot be read
    """
    moved = {}
    try:
        for model in apps.get_app_config("scheduler").get_models():
            number = _advance(model) if model._meta.managed and model._meta.auto_field is not None else 0
            if number:
                moved[model._meta.db_table] = number
    except Error as error:
        raise DatabaseUnavailable(str(error).strip()) from error
    return moved


def _advance(model: type[models.Model]) -> int:
    """Return the number that the sequence was moved to, or 0."""
    if _largest(model) <= _position(model):
        return 0
    table = database.connection().ops.quote_name(model._meta.db_table)
    with database.atomic(), database.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        number = _largest(model)
        if number <= _position(model):
            return 0  # another process was here first
        cursor.execute(statements.load("move_sequence"), {**_names(model), "number": number})
    return number


def _largest(model: type[models.Model]) -> int:
    found = model._default_manager.using(database.tables_alias()).aggregate(largest=Max("pk"))["largest"]
    return int(found or 0)


def _position(model: type[models.Model]) -> int:
    with database.cursor() as cursor:
        cursor.execute(statements.load("sequence_position"), _names(model))
        return int(cursor.fetchone()[0])


def _names(model: type[models.Model]) -> dict[str, Any]:
    return {"table": model._meta.db_table, "column": model._meta.pk.column}
