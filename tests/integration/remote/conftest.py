from __future__ import annotations

from collections.abc import Iterator

import pytest

from scheduler.store.sessions.connections import Connection
from tests import bells
from tests.bells import Broker


@pytest.fixture
def session(transactional_db: None) -> Iterator[Connection]:
    """A session as workers have them, beside Django's own connection."""
    session = Connection(purpose="test")
    yield session
    session.close()


@pytest.fixture
def broker() -> Iterator[Broker]:
    with bells.broker() as broker:
        yield broker
