"""The one clock that decides: the database's. And the project's zone, for times that name none."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from scheduler.core.triggers.zones import resolve
from scheduler.store import database


def database_now() -> datetime:
    """Return the time on the database's clock, to be read before any transaction-wide work."""
    with database.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def aware(moment: datetime) -> datetime:
    """Return an aware instant. A time without a zone is read in the project's zone, as in triggers."""
    return moment if timezone.is_aware(moment) else resolve(moment, timezone.get_default_timezone())
