"""Waiting for what happens elsewhere: as short as possible, never longer than said."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.db import connection

Value = TypeVar("Value")

PATIENCE_SECONDS = 120.0
"""The longest wait for what comes within a moment on a machine that is not busy. It costs nothing where it comes."""


_SHORTEST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.1


def wait_until(
    condition: Callable[[], Value], timeout: float = PATIENCE_SECONDS, *, every: float | None = None
) -> Value:
    """
    Ask again and again until the answer is true, and return it.

    Most answers are a query: to ask fifty times a second keeps a processor from what is waited for. A pause is a
    twentieth of the time waited so far, within bounds, or what ``every`` says.

    :raises AssertionError: it was not within ``timeout`` seconds; the message names the last answer
    """
    pause = threading.Event()
    began = time.monotonic()
    waited = 0.0
    while not (answer := condition()):
        if waited >= timeout:
            raise AssertionError(f"Not within {timeout:g} s; the last answer was {answer!r}.")
        pause.wait(every or min(max(waited / 20, _SHORTEST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS))
        waited = time.monotonic() - began  # the last question is asked after it, however long the others took
    return answer


def is_a_lock_awaited() -> bool:
    """Return whether somebody waits for a lock in the database of this test. Others have theirs in the same server."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock')"
        )
        return bool(cursor.fetchone()[0])


def whole_lines(text: str) -> list[str]:
    """
    Return the lines of a file that somebody else appends to, without one that is still being written.

    One ``write`` that crosses a page of the file is seen in two parts.
    """
    return text.split("\n")[:-1]


def keep_to_one(period: timedelta, *, margin: float = 60.0) -> None:
    """Let no full hour, or other round period, begin within the next minute: wait until it has begun."""
    left = period.total_seconds() - time.time() % period.total_seconds()
    if left < margin:
        threading.Event().wait(left)
