"""The pytest plugin. It is found by its entry point, and imports the scheduler only in tests that use it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _scheduler_reset() -> Iterator[None]:
    """Let the clocks go on by themselves after each test that moved them."""
    yield
    clock = sys.modules.get("scheduler.testing.clock")
    if clock is not None:
        clock.reset()


@pytest.fixture
def scheduler_eager(db: None) -> Iterator[None]:
    """Run tasks as soon as they are enqueued: ``scheduler.testing.eager`` for a whole test."""
    from scheduler.testing import eager

    with eager():
        yield
