from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from scheduler import checks, conf
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
