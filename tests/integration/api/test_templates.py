"""Templates and declared jobs over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler import schedules
from scheduler.models import Job, Template
from scheduler.services import jobs
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
        listed = [each["slug"] for each in squares.get("templates").json()["results"]]
        assert sorted(listed) == listed
        assert {"squares", "call-a-url"} <= set(listed)
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
        assert not Template.objects.filter(slug="squares").exists()
        assert squares.get("templates/squares").status_code == 404


class TestAVersion:
    def test_shows_its_plan_before_it_is_added(self, squares: Caller) -> None:
        squares.send("post", "templates/squares/instances", {"key": "three", "parameters": {"number": 3}})
        given = {"parameters": TEMPLATE["parameters"], "body": {**TEMPLATE["body"], "trigger": "0 6 * * *"}}

        plan = squares.send("post", "templates/squares/versions/plan", given).json()

        [step] = plan["steps"]
        assert (plan["has_changes"], list(step["changes"])) == (True, ["trigger"])
        assert [len(step["next_runs"][side]) for side in ("before", "after")] == [3, 3]
        assert step["next_runs"]["before"] != step["next_runs"]["after"]
        assert squares.get("templates/squares").json()["newest"]["number"] == 1

    def test_that_cannot_be_used_is_refused(self, squares: Caller) -> None:
        answer = squares.send("post", "templates/squares/versions/plan", {"body": {"task": "x", "trigger": "{when}"}})

        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "invalid_template")
        assert squares.send("post", "templates/circles/versions/plan", {"body": {}}).status_code == 404


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


class TestTheOriginOfAJob:
    @pytest.fixture
    def three(self, squares: Caller) -> Caller:
        squares.send("post", "templates/squares/instances", {"key": "three", "parameters": {"number": 3}})
        jobs.update(job="three", priority=4, kwargs={"number": 5}, actor="ada")
        return squares

    def test_says_what_a_person_changed(self, three: Caller) -> None:
        found = three.get("jobs/three/declaration").json()

        assert (found["template"], found["version"], found["parameters"]) == ("squares", 1, {"number": 3})
        assert found["drift"] == [{"field": "kwargs.number", "declared": 3, "stored": 5}]
        assert [job["id"] for job in three.get("jobs?drift=true").json()["results"]] == ["three"]

    def test_takes_the_declared_value(self, three: Caller) -> None:
        answer = three.send("post", "jobs/three/declaration/take", {"fields": ["kwargs.number"]})

        assert answer.json()["kwargs"] == {"number": 3}
        assert three.get("jobs?drift=true").json()["results"] == []

    def test_keeps_the_own_value(self, three: Caller) -> None:
        answer = three.send("post", "jobs/three/declaration/keep", {})

        assert (answer.json()["kept"], answer.json()["drift"]) == (["kwargs.number"], [])
        assert three.get("jobs/three").json()["kwargs"] == {"number": 5}

    def test_takes_the_declared_value_of_what_was_kept(self, three: Caller) -> None:
        three.send("post", "jobs/three/declaration/keep", {})

        answer = three.send("post", "jobs/three/declaration/take", {"fields": ["kwargs.number"]})

        assert answer.json()["kwargs"] == {"number": 3}
        assert three.get("jobs/three/declaration").json()["kept"] == []

    @pytest.mark.parametrize("way", ["take", "keep"])
    def test_refuses_a_field_that_is_not_declared(self, three: Caller, way: str) -> None:
        answer = three.send("post", f"jobs/three/declaration/{way}", {"fields": ["kwargs.number", "numbre"]})

        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/fields")
        assert "“numbre” is not a declared field. There are: " in answer.json()["detail"]
        assert three.get("jobs/three").json()["kwargs"] == {"number": 5}

    def test_ends_when_it_is_detached(self, three: Caller) -> None:
        assert three.send("delete", "jobs/three/template").status_code == 204

        assert three.get("jobs/three/declaration").status_code == 404
        assert three.send("delete", "jobs/three/template").status_code == 404
        assert three.send("post", "jobs/three/declaration/take", {}).status_code == 404

    def test_becomes_a_template(self, three: Caller) -> None:
        proposal = three.get("jobs/three/template").json()

        assert three.send("post", "templates", {**proposal, "slug": "from-three"}).status_code == 201
        made = three.send("post", "templates/from-three/instances", {"key": "again", "parameters": {}})
        assert (made.json()["kwargs"], made.json()["priority"]) == ({"number": 5}, 4)
