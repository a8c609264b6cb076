"""Transactions on the scheduler's tables, for what asks several services for one thing that is done whole or not."""

from __future__ import annotations

from django.db import transaction

from scheduler.store import database
from scheduler.store.database import atomic

__all__ = ["atomic", "limit_lock_waits", "undo"]


def undo() -> None:
    """Let the innermost open transaction end as if nothing had been done in it."""
    transaction.set_rollback(True, using=database.tables_alias())


def limit_lock_waits(*, seconds: int) -> None:
    """Give up a wait for a locked row after this long, until the open transaction ends."""
    with database.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{seconds}s"])
