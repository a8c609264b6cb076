from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from scheduler.models import Channel, Incident, Mute, Notification, Rule
from scheduler.store.sessions.connections import Connection


@pytest.fixture
def session(transactional_db: None) -> Iterator[Connection]:
    """A session as nodes have it, on tables without the rules that an installation begins with."""
    for model in (Notification, Incident, Mute, Rule, Channel):
        model.objects.all().delete()
    connection = Connection(purpose="test")
    yield connection
    connection.close()


@pytest.fixture
def node() -> str:
    return str(uuid4())
