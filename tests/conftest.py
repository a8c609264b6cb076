"""Fixtures that every kind of test shares."""

import gc
import os
import sys
from collections.abc import Iterator

import pytest
import pytest_django
from django.db.backends.base.creation import BaseDatabaseCreation
from django.test import TransactionTestCase
from django.utils import translation
from hypothesis import HealthCheck, settings

from scheduler.contrib.pytest_plugin import _scheduler_reset as _scheduler_reset
from scheduler.contrib.pytest_plugin import scheduler_eager as scheduler_eager
from tests import migrated, order
from tests.emptying import empty_databases

# Tests start hundreds of processes. Without compiled files each compiles the whole project, for most of a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Collecting makes a million objects that stay: they are not searched for garbage again and again.
gc.disable()

# How long an example takes to be made says something about the machine. Elsewhere than in CI that would be a failure.
settings.register_profile("patient", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

LONG = ("tests/browser/", "tests/scenarios/")
"""Tests that take seconds to minutes, the longest ones first."""


def pytest_xdist_auto_num_workers() -> int:
    """Start two workers for each processor: many tests wait for processes, leases and timeouts."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let some workers begin with the long tests: the last ones of a run are short and easily shared."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers > 1:
        items[:] = order.dealt(items, is_long=lambda item: item.nodeid.startswith(LONG), workers=workers)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
    django_db_keepdb: bool,
    django_db_blocker: pytest_django.DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """Migrate one database for all workers. They drop their copies whoever has a session."""
    if not django_db_keepdb:
        with django_db_blocker.unblock():
            migrated.let_copies_be_made(tmp_path_factory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseCreation, "_destroy_test_db", migrated.drop)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_emptying() -> Iterator[None]:
    """Hundreds of tests commit, and the tables are emptied after each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_databases)
        yield


@pytest.fixture
def patient_with_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat of this moment is fresh for a minute: also while the machine has no processor for the test."""
    monkeypatch.setattr("scheduler.store.measuring.measures.FRESH_BEATS", 12)


@pytest.fixture(autouse=True)
def the_language_of_the_project() -> Iterator[None]:
    """A request in another language leaves its thread in it."""
    yield
    translation.deactivate()
