"""
A bounded pool of sessions with PostgreSQL, which the threads of a process share.

A thread has a session for itself from ``take`` to ``give_back``. Some are kept open between that, as checked before the
next use. The others are closed.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]
from django.db.utils import OperationalError

_LOOK_SECONDS = 1.0
"""A session whose thread ended without a word is noticed within this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of a pool."""

    size: int
    """Sessions that are kept open while no thread needs them."""

    overflow: int
    """Sessions beyond these, which are closed when they are given back."""

    recycle_seconds: float
    """Age at which a session is replaced."""

    timeout_seconds: float
    """Longest wait for a session."""


class Pool:
    """The sessions of one process with one database."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._changed = threading.Condition()
        self._kept: list[tuple[Any, float]] = []
        """Sessions that no thread has, and when each was opened. The last one was used last."""

        self._lent: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()
        """Sessions that threads have, and when each was opened. One that a thread dropped is gone by itself."""

        self._promised = 0
        """Threads that are about to have a session."""

        self._is_closed = False

    @property
    def in_use(self) -> int:
        """Return the number of sessions that threads have."""
        return self._promised + len(self._lent)

    def take(self, connect: Callable[[], Any]) -> Any:
        """
        Return a session that no other thread has: a kept one that answers, or a new one by ``connect``.

        :raises OperationalError: all are in use and none came back in time
        """
        self._wait_for_a_place()
        session, opened_at = None, time.monotonic()
        try:
            session, opened_at = self._take_kept() or (connect(), opened_at)
        finally:
            with self._changed:
                self._promised -= 1
                if session is None:
                    self._changed.notify()
                else:
                    self._lent[session] = opened_at
        return session

    def give_back(self, session: Any) -> None:
        """Let another thread have the session, as if it were new, or close it."""
        is_sound = _forget_all(session)
        with self._changed:
            opened_at = self._lent.get(session)
            if is_sound and opened_at is not None and not self._is_closed and len(self._kept) < self._limits.size:
                del self._lent[session]
                self._kept.append((session, opened_at))
                self._changed.notify()
                return
        self.end(session)

    def end(self, session: Any) -> None:
        """Close a session of this thread."""
        _close(session)  # before another thread may open one in its place
        with self._changed:
            self._lent.pop(session, None)
            self._changed.notify()

    def close(self) -> None:
        """Close the kept sessions now, and those in use when they are given back."""
        with self._changed:
            self._is_closed = True
            kept, self._kept = self._kept, []
        for session, _ in kept:
            _close(session)

    def _wait_for_a_place(self) -> None:
        most = self._limits.size + self._limits.overflow
        until = time.monotonic() + self._limits.timeout_seconds
        with self._changed:
            while self.in_use >= most:
                left = until - time.monotonic()
                if left <= 0:
                    raise OperationalError(
                        f"All {most} connections of this process are in use, and none came free within "
                        f"{self._limits.timeout_seconds:g} s."
                    )
                self._changed.wait(min(left, _LOOK_SECONDS))
            self._promised += 1

    def _take_kept(self) -> tuple[Any, float] | None:
        """Take out the kept session that was used last and can be used again. Others that it finds are closed."""
        while True:
            with self._changed:
                if not self._kept:
                    return None
                session, opened_at = self._kept.pop()
            if time.monotonic() - opened_at < self._limits.recycle_seconds and _answers(session):
                return session, opened_at
            _close(session)


def _answers(session: Any) -> bool:
    try:
        with session.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Database.Error:
        return False
    return True


def _forget_all(session: Any) -> bool:
    """
    Let the session forget what was set in it, its temporary tables and its advisory locks. Return whether it lives.

    The next thread that gets it may run another job's task: one's ``SET search_path`` must not become the other's.
    """
    if session.closed:
        return False
    try:
        session.rollback()
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute("DISCARD ALL")
    except Database.Error:  # the server ended it
        return False
    return True


def _close(session: Any) -> None:
    with contextlib.suppress(Database.Error):
        session.close()
