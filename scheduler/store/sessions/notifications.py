"""Wake-ups: hints between processes. Polling keeps the promise, and hints make it quick."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from enum import StrEnum
from functools import partial
from typing import NamedTuple

from django.db import transaction

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


def notify_after_commit(channel: Channel, *, subject: str) -> None:
    """
    Wake the nodes after the caller's transaction has committed, once for each subject.

    A transaction with a hint holds a lock of the whole server while it commits: those with hints wait for the disk one
    after the other. A process that ends in between sends nothing, and nodes find the run when they poll.
    """
    if not database.connection().in_atomic_block:  # the caller commits by itself, and Django does not learn of it
        notify(channel, subject=subject)
        return
    _unsent.hints.add(Hint(channel, subject))
    transaction.on_commit(partial(_send, Hint(channel, subject)), using=database.tables_alias(), robust=True)


class _Unsent(threading.local):
    """The hints of this thread that wait for a commit. After a rollback they are left over, and do no harm."""

    def __init__(self) -> None:
        self.hints: set[Hint] = set()


_unsent = _Unsent()


def _send(hint: Hint) -> None:
    if hint not in _unsent.hints:  # sent for an earlier run of the same transaction
        return
    _unsent.hints.discard(hint)
    with database.cursor() as cursor:
        parameters = {"channel": hint.channel.value, "subject": hint.subject}
        cursor.execute(statements.load("notify_unlasting"), parameters)


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
