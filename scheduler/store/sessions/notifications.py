"""Wake-ups: hints between processes. Polling keeps the promise, and hints make it quick."""

from __future__ import annotations

import contextlib
import selectors
import socket
from enum import StrEnum
from typing import NamedTuple

from scheduler.errors import DatabaseUnavailable
from scheduler.store import database, statements
from scheduler.store.sessions.connections import Connection
from scheduler.store.sessions.drivers import driver, errors

_PROBE_SECONDS = 5.0
"""Time limit for the server's answer to the listener."""


class Channel(StrEnum):
    """The subject of a hint."""

    JOBS = "scheduler_jobs"
    """Definitions changed. The database itself sends it, also for raw SQL: see the migration of that name."""

    CANCEL = "scheduler_cancel"
    """Somebody wants a run to end that has begun."""

    RUNS = "scheduler_runs"
    """Runs wait that any node may take."""


class Hint(NamedTuple):
    """One notification."""

    channel: Channel
    subject: str = ""
    """Of ``RUNS``: a track on which runs wait that are due. Empty: anything of the channel may have changed."""


ANYTHING = frozenset(map(Hint, Channel))
"""Stands for hints that may have been missed."""


def notify(channel: Channel, *, subject: str = "") -> None:
    """Wake the nodes when the caller's transaction commits."""
    with database.cursor() as cursor:
        cursor.execute(statements.load("notify"), {"channel": channel.value, "subject": subject})


def notify_from(session: Connection, channel: Channel) -> None:
    """Wake the nodes at once, from a node's own session."""
    session.execute("notify", channel=channel.value, subject="")


class Listener:
    """A session that listens on every channel."""

    def __init__(self) -> None:
        self._connection = Connection(purpose="listener", answer_seconds=_PROBE_SECONDS)
        self._interrupted, self._interrupt = socket.socketpair()

    def wait(self, *, timeout: float) -> frozenset[Hint]:
        """
        Wait for hints and return them. The set is empty when the time is up.

        :raises DatabaseUnavailable: the session is lost, and the next call makes a new one
        """
        if not self._connection.is_open:
            self._connection.execute("listen")
            # What was sent while nobody listened is lost: look at everything once.
            return ANYTHING
        raw = self._connection.raw()
        try:
            # A probe may have brought hints along with its answer.
            arrived = driver.take_notifications(raw)
            if not arrived:
                with selectors.DefaultSelector() as selector:  # select() refuses numbers of files from 1024 on
                    selector.register(raw, selectors.EVENT_READ)
                    selector.register(self._interrupted, selectors.EVENT_READ)
                    selector.select(timeout)
                arrived = driver.take_notifications(raw)
        except (errors.OperationalError, errors.InterfaceError, OSError, ValueError) as error:
            self._connection.close()
            raise DatabaseUnavailable(str(error).strip()) from error
        return frozenset(Hint(Channel(channel), subject) for channel, subject in arrived)

    def probe(self) -> None:
        """
        Ask the server for a sign of life, so that a half-open socket is noticed.

        :raises DatabaseUnavailable: none came within a few seconds
        """
        if self._connection.is_open:
            self._connection.execute("probe")

    def interrupt(self) -> None:
        """End the wait of another thread at once, and every later one."""
        with contextlib.suppress(OSError):
            self._interrupt.send(b".")

    def close(self) -> None:
        self._connection.close()
        self._interrupted.close()
        self._interrupt.close()
