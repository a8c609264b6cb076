"""psycopg 3."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import psycopg as errors
from psycopg import ClientCursor
from psycopg.adapt import Loader
from psycopg.pq import Format
from psycopg.types.json import JsonbLoader

from scheduler.store.sessions.drivers.timestamps import clamped, nearest

__all__ = ["errors", "fetch", "open_cursor", "prepare", "prepare_for_django", "read_plainly", "take_notifications"]

_TIMESTAMPTZ = 1184
_arrived: WeakKeyDictionary[Any, deque[tuple[str, str]]] = WeakKeyDictionary()
"""The channels and payloads of notifications by session: an answer to a statement may bring some along."""


def open_cursor(session: Any) -> Any:
    return ClientCursor(session)


def fetch(cursor: Any) -> list[tuple[Any, ...]]:
    while cursor.nextset():
        pass
    rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description is not None else []
    return rows


def prepare(session: Any) -> None:
    read_plainly(session)
    arrived = _arrived[session] = deque()
    session.add_notify_handler(lambda note: arrived.append((note.channel, note.payload)))


def read_plainly(target: Any) -> None:
    target.adapters.register_loader("timestamptz", _Utc)
    # Django registers a loader that leaves JSON as text.
    target.adapters.register_loader("jsonb", JsonbLoader)


def prepare_for_django(session: Any) -> None:
    current = session.adapters.get_loader(_TIMESTAMPTZ, Format.TEXT)
    if not getattr(current, "is_clamping", False):
        session.adapters.register_loader("timestamptz", _clamping(current))


def take_notifications(session: Any) -> list[tuple[str, str]]:
    session.pgconn.consume_input()
    taken = []
    while note := session.pgconn.notifies():
        taken.append((note.relname.decode(), note.extra.decode()))
    arrived = _arrived[session]
    while arrived:
        taken.append(arrived.popleft())
    return taken


class _Utc(Loader):
    """The session's zone is UTC and its dates are written as ISO 8601 has them."""

    def load(self, data: Any) -> datetime:
        text = bytes(data).decode()
        try:
            return clamped(datetime.fromisoformat(text))
        except ValueError:
            return nearest(text)


@cache
def _clamping(loader: type[Any]) -> type[Any]:
    """Return Django's loader, which knows its zone, with the answers that Python cannot hold replaced."""

    class Clamping(loader):
        is_clamping = True

        def load(self, data: Any) -> datetime:
            try:
                value: datetime = super().load(data)
            except (errors.DataError, OverflowError, ValueError):
                value = nearest(bytes(data).decode()).astimezone(self.timezone)
            return clamped(value)

    return Clamping
