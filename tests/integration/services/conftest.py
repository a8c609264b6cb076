from __future__ import annotations

from datetime import UTC
from types import SimpleNamespace

import pytest

from scheduler.store.jobstore import PostgresJobStore


@pytest.fixture
def store(db: None) -> PostgresJobStore:
    store = PostgresJobStore()
    store.start(SimpleNamespace(timezone=UTC), "default")
    return store
