"""Templates and declared jobs over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler import schedules
from scheduler.models import Job, Template
from tests.integration.api.conftest import Caller

TEMPLATE = {
    "slug": "squares",
    "title": "Squares",
    "parameters": [{"name": "number", "type": "integer"}],
    "body": {"task": "sample.square", "trigger": "0 5 * * *", "kwargs": {"number": "{number}"}},
}


@pytest.fixture
def squares(api: Caller) -> Caller:
    assert api.send("post", "templates", TEMPLATE).status_code == 201
    return api


class TestTemplates:
    def test_are_created_listed_and_shown(self, squares: Caller) -> None:
        assert [each["slug"] for each in squares.get("templates").json()["results"]] == ["squares"]
        shown = squares.get("templates/squares").json()
        assert (shown["newest"]["number"], shown["instances"]) == (1, 0)
        assert shown["newest"]["created_by"] == "anna"

    def test_are_refused_with_the_reason(self, api: Caller) -> None:
        body = {**TEMPLATE, "body": {"task": "x", "trigger": "{when}"}}

        answer = api.send("post", "templates", body)

        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "invalid_template")
        assert "{when}" in answer.json()["detail"]

    def test_get_versions_and_are_deleted_without_instances(self, squares: Caller) -> None:
        version = {"parameters": TEMPLATE["parameters"], "body": {**TEMPLATE["body"], "priority": 2}, "note": "Sooner"}

        assert squares.send("post", "templates/squares/versions", version).json()["newest"]["number"] == 2
        assert squares.send("delete", "templates/squares").status_code == 204
        assert not Template.objects.exists()
        assert squares.get("templates/squares").status_code == 404


class TestInstances:
    def test_are_jobs(self, squares: Caller) -> None:
        answer = squares.send("post", "templates/squares/instances", {"key": "three", "parameters": {"number": 3}})

        assert (answer.status_code, answer.json()["kwargs"]) == (201, {"number": 3})
        assert squares.get("jobs/three").status_code == 200

    def test_name_the_parameter_that_does_not_fit(self, squares: Caller) -> None:
        answer = squares.send("post", "templates/squares/instances", {"key": "x", "parameters": {"number": "x"}})

        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == "/parameters/number"

    def test_are_upgraded_after_a_plan(self, squares: Caller) -> None:
        squares.send("post", "templates/squares/instances", {"key": "three", "parameters": {"number": 3}})
        body = {**TEMPLATE["body"], "priority": 2}
        squares.send("post", "templates/squares/versions", {"parameters": TEMPLATE["parameters"], "body": body})

        plan = squares.send("post", "templates/squares/upgrade", {"dry_run": True}).json()
        assert plan["steps"][0]["changes"] == {"priority": {"old": 0, "new": 2}}
        assert Job.objects.get().priority == 0
        squares.send("post", "templates/squares/upgrade", {})
        assert Job.objects.get().priority == 2

    def test_follow_rows(self, squares: Caller) -> None:
        rows = [{"key": "a", "parameters": {"number": 1}}, {"key": "b", "parameters": {"number": 2}}]

        done = squares.send("post", "templates/squares/sync", {"rows": rows}).json()
        assert {step["key"]: step["action"] for step in done["steps"]} == {"a": "create", "b": "create"}
        done = squares.send("post", "templates/squares/sync", {"rows": rows[1:]}).json()
        assert {step["key"]: step["action"] for step in done["steps"]} == {"b": "unchanged", "a": "pause"}


class TestDeclarations:
    def test_are_planned_and_applied(self, api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(schedules, "_registered", [])
        schedules.register("sample.nothing", "0 5 * * *", key="nightly")

        plan: dict[str, Any] = api.send("post", "declarations", {"dry_run": True}).json()
        assert (plan["has_changes"], plan["steps"][0]["action"]) == (True, "create")
        assert not Job.objects.exists()
        api.send("post", "declarations", {})
        assert Job.objects.get().pk == "nightly"
