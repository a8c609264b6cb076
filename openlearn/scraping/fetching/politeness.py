"""
One pace for each host, over all nodes, threads and processes: a row in PostgreSQL hands out turns.

A request costs one short statement and then a wait without a connection. A host that answers “too many requests” is
closed for all of them.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from django.db import connection
from django.utils import timezone

from openlearn.scraping.models import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """When a request may be sent."""

    wait_seconds: float | None
    """``None``: not within the caller's patience, or not before ``closed_until``. The turn was not taken."""

    closed_until: datetime | None = None
    """The host wants no requests before this."""


def take_turn(*, host: str, delay_seconds: float, patience_seconds: float) -> Turn:
    """
    Take the next turn at a host, for which the caller waits.

    A host without a pace (``delay_seconds`` is 0) is only checked for being closed.
    """
    if delay_seconds <= 0:
        closed_until = Host.objects.filter(name=host).values_list("closed_until", flat=True).first()
        is_closed = closed_until is not None and closed_until > timezone.now()
        return Turn(wait_seconds=None if is_closed else 0.0, closed_until=closed_until if is_closed else None)
    values: dict[str, str | float] = {"host": host, "delay": float(delay_seconds), "patience": float(patience_seconds)}
    with connection.cursor() as cursor:
        cursor.execute(_statement("take_turn"), values)
        wait_seconds, closed_until = cursor.fetchone()
    is_closed = wait_seconds is None and closed_until is not None and closed_until > timezone.now()
    return Turn(wait_seconds=wait_seconds, closed_until=closed_until if is_closed else None)


def close(*, host: str, until_at: datetime) -> None:
    """Let no node request anything from the host before ``until_at``."""
    with connection.cursor() as cursor:
        cursor.execute(_statement("close_host"), {"host": host, "until_at": until_at})


def wait(seconds: float) -> None:
    if seconds > 0:
        _never.wait(seconds)


_never = threading.Event()


@cache
def _statement(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
