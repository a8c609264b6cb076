"""
A migrated database that the workers of a run copy. The first worker that wants it makes it.

To copy it takes a tenth of a second, to apply all migrations four. Each run makes its own, so it is never stale.
"""

from __future__ import annotations

import fcntl
import os
from typing import Any

import django
import pytest
from django.db import connection
from django.db.backends.base.creation import BaseDatabaseCreation

from openlearn.db.postgresql.base import close_pools

_NAME = "test_migrated"

_NOT_SERIALIZED: dict[str, Any] = {} if django.VERSION >= (6, 1) else {"serialize": False}
"""Rows of migrations are not read: Django 6.1 never does, and warns whoever says so."""


def let_copies_be_made(factory: pytest.TempPathFactory) -> None:
    """Let this worker's own database begin as a copy. A single worker needs no second one."""
    if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) < 2:
        return
    made = factory.getbasetemp().parent / _NAME
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _make()
            made.touch()
    connection.settings_dict["TEST"]["TEMPLATE"] = _NAME


def drop(creation: BaseDatabaseCreation, name: str, verbosity: int) -> None:
    """Drop the database of a run, also while a thread that outlived its test, as those of asgiref do, has a session."""
    with creation._nodb_cursor() as cursor:
        cursor.execute(f"DROP DATABASE {creation.connection.ops.quote_name(name)} WITH (FORCE)")


def _make() -> None:
    settings = connection.settings_dict
    name, own = settings["NAME"], settings["TEST"]["NAME"]
    settings["TEST"]["NAME"] = _NAME
    try:
        connection.creation.create_test_db(verbosity=0, autoclobber=True, **_NOT_SERIALIZED)
    finally:
        # A database that somebody is connected to cannot be copied.
        connection.close()
        close_pools()
        settings["NAME"], settings["TEST"]["NAME"] = name, own
