from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from scheduler.store.sessions.connections import Connection

Open = Callable[[], Connection]


@pytest.fixture
def open_session(transactional_db: None) -> Iterator[Open]:
    """Opens sessions as nodes have them, beside Django's own connection."""
    opened: list[Connection] = []

    def open_one() -> Connection:
        opened.append(Connection(purpose="test"))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def session(open_session: Open) -> Connection:
    return open_session()


@pytest.fixture
def node() -> str:
    return str(uuid4())
