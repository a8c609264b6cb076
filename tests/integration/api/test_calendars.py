"""Calendars over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scheduler.models import Calendar, CalendarVersion
from tests.integration.api.conftest import Caller

WEEKEND = {"name": "weekend", "title": "Weekend", "rules": ["sat-sun Weekend"]}
JOB: dict[str, Any] = {
    "task": "sample.square",
    "kwargs": {"number": 2},
    "trigger": {"type": "cron", "expression": "0 9 * * *", "timezone": "UTC", "not_on": ["weekend"]},
}


@pytest.fixture
def weekend(api: Caller) -> Caller:
    assert api.send("post", "calendars", WEEKEND).status_code == 201
    return api


class TestCalendars:
    def test_are_created_listed_changed_and_deleted(self, weekend: Caller) -> None:
        assert [each["name"] for each in weekend.get("calendars").json()["results"]] == ["weekend"]
        shown = weekend.get("calendars/weekend").json()
        assert (shown["rules"], shown["version"], shown["created_by"]) == (["sat-sun Weekend"], 1, "anna")

        changed = weekend.send("patch", "calendars/weekend", {"rules": ["fri-sun"], "version": 1}).json()

        assert (changed["rules"], changed["version"], changed["title"]) == (["fri-sun"], 2, "Weekend")
        assert weekend.send("patch", "calendars/weekend", {"title": "x", "version": 1}).status_code == 412
        assert weekend.send("delete", "calendars/weekend").status_code == 204
        assert weekend.get("calendars/weekend").status_code == 404
        assert {each.via for each in CalendarVersion.objects.all()} == {"api"}

    def test_show_what_is_on_them(self, weekend: Caller) -> None:
        found = weekend.get("calendars/weekend/entries?since=2026-10-02T12:00:00Z&limit=2").json()["results"]

        assert [each["title"] for each in found] == ["Weekend", "Weekend"]
        assert found[0]["begin"].startswith("2026-10-0")

    def test_are_refused_with_the_field(self, api: Caller) -> None:
        answer = api.send("post", "calendars", {**WEEKEND, "rules": ["someday"]})

        assert answer.status_code == 400
        assert answer.json()["errors"] == [
            {"pointer": "/rules", "code": "invalid_calendar", "detail": answer.json()["detail"]}
        ]
        assert not Calendar.objects.exists()

    def test_come_from_files(self, api: Caller) -> None:
        file = (
            "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20201003\r\nRRULE:FREQ=YEARLY\r\n"
            "SUMMARY:Tag der Deutschen Einheit\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )

        assert api.send("post", "calendars/file", {"file": file}).json() == {
            "rules": ["10-03 Tag der Deutschen Einheit"]
        }
        assert api.send("post", "calendars/file", {"file": "x"}).status_code == 400


class TestAJob:
    def test_names_its_calendars(self, weekend: Caller) -> None:
        made = weekend.send("post", "jobs", JOB)

        assert made.status_code == 201
        assert made.json()["trigger"] == {**JOB["trigger"], "otherwise": "skip"}
        assert weekend.send("delete", "calendars/weekend").status_code == 409

    def test_is_refused_with_a_calendar_that_does_not_exist(self, api: Caller) -> None:
        answer = api.send("post", "jobs", JOB)

        assert answer.status_code == 400
        assert answer.json()["errors"][0] == {
            "pointer": "/trigger/not_on",
            "code": "unknown_calendar",
            "detail": "There is no calendar “weekend”.",
        }


class TestPermissions:
    def test_are_those_of_the_model(self, login: Callable[..., Caller]) -> None:
        reader = login("view_calendar")

        assert reader.get("calendars").status_code == 200
        assert reader.send("post", "calendars", WEEKEND).status_code == 403
