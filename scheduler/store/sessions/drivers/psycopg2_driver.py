"""psycopg2."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

import psycopg2 as errors
from psycopg2.extensions import new_array_type, new_type, register_type
from psycopg2.extras import register_default_jsonb

from scheduler.store.sessions.drivers.timestamps import clamped, nearest

__all__ = ["errors", "fetch", "open_cursor", "prepare", "prepare_for_django", "read_plainly", "take_notifications"]

_TIMESTAMPTZ, _TIMESTAMPTZ_ARRAY = 1184, 1185


def open_cursor(session: Any) -> Any:
    return session.cursor()


def fetch(cursor: Any) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description is not None else []
    return rows


def prepare(session: Any) -> None:
    read_plainly(session)


def read_plainly(target: Any) -> None:
    register_type(_IN_UTC, target)
    register_type(_ARRAY_IN_UTC, target)
    # Django registers a reader that leaves JSON as text.
    register_default_jsonb(conn_or_curs=target)


def prepare_for_django(session: Any) -> None:
    register_type(_IN_ZONE_OF_CURSOR, session)
    register_type(_ARRAY_IN_ZONE_OF_CURSOR, session)


def take_notifications(session: Any) -> list[tuple[str, str]]:
    session.poll()
    arrived = [(note.channel, note.payload) for note in session.notifies]
    session.notifies.clear()
    return arrived


def _read_in_utc(text: str | None, cursor: Any) -> datetime | None:
    return None if text is None else _parsed(text)


@lru_cache(maxsize=256)
def _parsed(text: str) -> datetime:
    """
    Parse a timestamp. The session's zone is UTC: Python's own parser takes half the time of psycopg2's.

    Jobs that are claimed together are mostly due together, and share one now.
    """
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return nearest(text)
    return clamped(value) if value.year in (1, 9999) else value


def _read_in_zone_of_cursor(text: str | None, cursor: Any) -> datetime | None:
    value = _read_in_utc(text, cursor)
    factory = cursor.tzinfo_factory
    if value is None or factory is None:
        return value if value is None else value.replace(tzinfo=None)
    return value.astimezone(factory(value.utcoffset()))


_IN_UTC = new_type((_TIMESTAMPTZ,), "TIMESTAMPTZ", _read_in_utc)
_ARRAY_IN_UTC = new_array_type((_TIMESTAMPTZ_ARRAY,), "TIMESTAMPTZ[]", _IN_UTC)
_IN_ZONE_OF_CURSOR = new_type((_TIMESTAMPTZ,), "TIMESTAMPTZ", _read_in_zone_of_cursor)
_ARRAY_IN_ZONE_OF_CURSOR = new_array_type((_TIMESTAMPTZ_ARRAY,), "TIMESTAMPTZ[]", _IN_ZONE_OF_CURSOR)
