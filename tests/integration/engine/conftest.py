from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import connection

from scheduler.store.sessions.connections import Connection


@pytest.fixture
def session(transactional_db: None) -> Iterator[Connection]:
    """A session as nodes have them, beside Django's own connection."""
    session = Connection(purpose="test")
    yield session
    session.close()


@pytest.fixture
def cut(transactional_db: None) -> Callable[[str], int]:
    """
    Ends the sessions of a purpose as a crash of the server would, and returns how many there were.

    The server may not have noticed yet that the session of a former test was closed, and counts it too.
    """

    def end_sessions(purpose: str) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = %s",
                [f"scheduler {purpose}"],
            )
            return len(cursor.fetchall())

    return end_sessions
