"""The database connections that a body opens in its thread, and leaves behind."""

from __future__ import annotations

import logging
import threading

from django.db import Error, connections
from django.db.backends.signals import connection_created

from scheduler.telemetry import events

logger = logging.getLogger(__name__)


class _Opened(threading.local):
    """Whether this thread opened a connection since it gave all back: asking Django costs more than a short body."""

    any = False


opened = _Opened()


def _note_opened(**_: object) -> None:
    opened.any = True


connection_created.connect(_note_opened, dispatch_uid="scheduler.execution.body_connections")


def give_back() -> None:
    """
    Give the body's database connections back, rolling back what it left open.

    Django's wrapper of one that was left within a transaction refuses everything from then on: it is given up, so that
    the next body in this thread gets another.
    """
    opened.any = False
    for connection in connections.all(initialized_only=True):
        if connection.connection is None:
            continue
        try:
            connection.close()
        except Error:
            logger.warning(events.RUN_CONNECTION_NOT_CLOSED, exc_info=True)
        if connection.in_atomic_block or connection.connection is not None:
            del connections[connection.alias]
