from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.checks import ERROR, WARNING

from scheduler import checks, conf
from scheduler.core.tasks.registry import Registry, Task
from scheduler.services import assumptions


@pytest.fixture(autouse=True)
def unread() -> Any:
    """Read the settings anew, here and in the next test."""
    conf.get.cache_clear()
    yield
    conf.get.cache_clear()


class Connections(dict[str, Any]):
    """Databases by alias, none of which is asked for anything."""

    @property
    def settings(self) -> dict[str, Any]:
        return self


def database(vendor: str, name: str) -> SimpleNamespace:
    return SimpleNamespace(vendor=vendor, display_name=name)


class TestTheProject:
    def test_may_be_this_one(self) -> None:
        assert checks.project() == []

    def test_must_keep_aware_times(self, settings: Any) -> None:
        settings.USE_TZ = False

        (message,) = checks.project()

        assert message.id == "scheduler.E004"
        assert "USE_TZ is False" in message.msg


class TestDatabases:
    def test_must_be_postgresql(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(assumptions, "connections", Connections(default=database("sqlite", "SQLite")))

        (message,) = checks.project()

        assert (message.id, message.msg) == (
            "scheduler.E003",
            "The database “default” is SQLite; the scheduler needs PostgreSQL. Change DATABASES['default'].",
        )

    def test_must_be_there(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.SCHEDULER = {"DATABASE": "elsewhere"}
        monkeypatch.setattr(assumptions, "connections", Connections(default=database("postgresql", "PostgreSQL")))

        (message,) = checks.project()

        assert (message.id, "“elsewhere”" in message.msg) == ("scheduler.E002", True)


class TestTasks:
    @pytest.fixture
    def tasks(self, monkeypatch: pytest.MonkeyPatch) -> Registry:
        registry = Registry()
        monkeypatch.setattr(checks, "registry", registry)
        return registry

    def test_may_be_those_of_this_project(self) -> None:
        assert checks.tasks() == []

    def test_must_not_need_an_argument_that_nobody_can_give(self, tasks: Registry) -> None:
        tasks.add(Task(name="shop.odd", function=_needs_a_function))

        (message,) = checks.tasks()

        assert (message.id, message.level) == ("scheduler.E006", ERROR)
        assert message.msg.startswith("The argument on_end of the task “shop.odd” cannot be given by a job: ")

    def test_may_have_one_with_a_default(self, tasks: Registry) -> None:
        tasks.add(Task(name="shop.odd", function=_may_have_a_function))

        (message,) = checks.tasks()

        assert (message.id, message.level) == ("scheduler.W006", WARNING)

    def test_must_run_on_an_executor_that_nodes_have(self, tasks: Registry) -> None:
        tasks.add(Task(name="shop.typo", function=_plain, executor="procespool"))

        (message,) = checks.tasks()

        assert (message.id, message.msg) == (
            "scheduler.E007",
            "The task “shop.typo” runs on the executor “procespool”. Nodes have: default, processpool.",
        )


def _plain() -> None: ...


def _needs_a_function(on_end: Callable[[int], int]) -> None: ...


def _may_have_a_function(on_end: Callable[[int], int] | None = None) -> None: ...
