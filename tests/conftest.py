"""Fixtures that every kind of test shares."""

import os
from collections.abc import Iterator

import pytest
from django.test import TransactionTestCase
from django.utils import translation

from scheduler.contrib.pytest_plugin import _scheduler_reset as _scheduler_reset
from scheduler.contrib.pytest_plugin import scheduler_eager as scheduler_eager
from tests.emptying import empty_databases


def pytest_xdist_auto_num_workers() -> int:
    """Start one worker more than there are processors: many tests wait for processes, leases and timeouts."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def quick_emptying() -> Iterator[None]:
    """Hundreds of tests commit, and the tables are emptied after each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_databases)
        yield


@pytest.fixture(autouse=True)
def the_language_of_the_project() -> Iterator[None]:
    """A request in another language leaves its thread in it."""
    yield
    translation.deactivate()
