"""Timestamps that PostgreSQL can store and Python cannot hold: years before 1 and after 9999, and infinity."""

from __future__ import annotations

from datetime import UTC, datetime

EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)
"""A day within what Python holds, so that both can be shown in every time zone."""


def nearest(text: str) -> datetime:
    """Return the bound that stands for a timestamp which Python cannot hold, from PostgreSQL's spelling of it."""
    return EARLIEST if text.startswith("-") or text.endswith("BC") else LATEST


def read(text: str) -> datetime:
    """Return a timestamp that PostgreSQL wrote into JSON."""
    try:
        return clamped(datetime.fromisoformat(text))
    except ValueError:
        return nearest(text)


def clamped(value: datetime) -> datetime:
    """Return the timestamp, or the bound where it is so close to Python's limits that some time zone cannot show it."""
    if value.year == 1:
        return max(value, EARLIEST)
    if value.year == 9999:
        return min(value, LATEST)
    return value
