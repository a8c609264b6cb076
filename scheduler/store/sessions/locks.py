"""Advisory locks of a session: work that one process of all does at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scheduler.errors import DatabaseUnavailable
from scheduler.store.sessions.connections import Connection
from scheduler.untouched import time

INSTALL = 0x6F6C_735F_696E
"""Preparing the database: migrations and what a new installation gets."""

_POLL_SECONDS = 0.2
_LONGEST_SECONDS = 900.0
"""An update of the tables may build indexes for minutes."""


@contextmanager
def alone(session: Connection, *, lock: int, longest_seconds: float = _LONGEST_SECONDS) -> Iterator[None]:
    """
    Wait until no other session holds the lock, and hold it meanwhile.

    :raises DatabaseUnavailable: the session was lost, or another one held the lock for too long
    """
    deadline = time.monotonic() + longest_seconds
    while not session.execute("try_session_lock", lock=lock)[0][0]:
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(
                f"Another process has been preparing this database for {longest_seconds:.0f} s. Try again when it ends."
            )
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        session.close()  # which frees the lock, also where the session was lost
