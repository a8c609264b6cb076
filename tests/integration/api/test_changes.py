from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scheduler.models import Change, Job
from scheduler.services import jobs
from tests.integration.api.conftest import EVERY_HOUR, Caller

SECRET = {"task": "governed.use_secret", "trigger": EVERY_HOUR, "kwargs": {"token": "s3cr3t-value"}}
EVERY_DAY = {"type": "cron", "expression": "0 2 * * *", "timezone": "UTC"}


def make(**changes: Any) -> Job:
    return jobs.create(**{"id": "j", "task": "sample.nothing", "trigger": EVERY_HOUR, **changes})


def said() -> tuple[str, str, str, str]:
    change = Change.objects.order_by("-id")[0]
    return change.action, change.actor, change.via, change.reason


class TestWhatTheAPIChanges:
    @pytest.mark.parametrize(
        ("method", "path", "body", "action"),
        [
            ("post", "jobs", {"id": "k", "task": "sample.nothing", "trigger": EVERY_HOUR}, "created"),
            ("patch", "jobs/j", {"priority": 5}, "edited"),
            ("post", "jobs/j/pause", {}, "paused"),
            ("post", "jobs/paused/resume", {}, "resumed"),
            ("delete", "jobs/j", None, "deleted"),
            ("post", "jobs/bulk", {"action": "delete", "ids": ["j"]}, "deleted"),
            ("post", "jobs/bulk", {"action": "add_tags", "ids": ["j"], "tags": ["a"]}, "edited"),
        ],
    )
    def test_is_noted_with_its_reason(
        self, api: Caller, method: str, path: str, body: dict[str, Any] | None, action: str
    ) -> None:
        make()
        make(id="paused", paused=True)
        if body is None:
            path += "?reason=Because."
        else:
            body = {**body, "reason": "Because."}

        assert api.send(method, path, body).status_code in (200, 201, 204)

        assert said() == (action, "anna", "api", "Because.")

    def test_tells_a_copy_from_its_origin(self, api: Caller) -> None:
        make(name="First")

        api.send("post", "jobs/j/clone", {"id": "k"})

        assert said() == ("created", "anna", "api", "Copied from “First” (j).")


class TestChanges:
    def test_lists_the_newest_first_with_old_and_new(self, api: Caller) -> None:
        job = make(trigger=EVERY_DAY)
        jobs.update(job=job, actor="ben", trigger={**EVERY_DAY, "expression": "0 3 * * *"}, reason="Later.")

        answer = api.get("jobs/j/changes").json()

        edited, created = answer["results"]
        assert (edited["action"], edited["actor"], edited["via"], edited["reason"]) == (
            *("edited", "ben", "code", "Later."),
        )
        assert (edited["job"], edited["job_exists"], edited["version"]) == ("j", True, 2)
        (difference,) = edited["changes"]
        assert difference["name"] == "trigger"
        assert (difference["old"]["expression"], difference["new"]["expression"]) == ("0 2 * * *", "0 3 * * *")
        assert (created["action"], created["changes"]) == ("created", [])

    def test_are_there_for_jobs_that_are_or_were(self, api: Caller) -> None:
        jobs.remove(job=make())

        assert [change["action"] for change in api.get("jobs/j/changes").json()["results"]] == ["deleted", "created"]
        problem = api.get("jobs/never/changes")
        assert (problem.status_code, problem.json()["detail"]) == (404, "There is no job with the id “never”.")

    def test_masks_secrets(self, api: Caller) -> None:
        jobs.update(job=make(**SECRET), kwargs={"token": "an0ther-value"})

        answer = api.get("jobs/j/changes")

        assert b"$sealed" not in answer.content
        assert answer.json()["results"][0]["changes"] == [{"name": "kwargs.token", "old": "•••", "new": "•••"}]

    def test_filters_and_pages(self, api: Caller) -> None:
        job = make()
        for number in range(1, 4):
            job = jobs.update(job=job, actor="ben", priority=number)
        jobs.remove(job=job, actor="anna")
        make(id="k")

        def found(query: str) -> list[tuple[str, int]]:
            return [(change["job"], change["version"]) for change in api.get(f"changes?{query}").json()["results"]]

        assert found("job=j&actor=anna") == [("j", 4)]
        assert found("action=created,deleted&via=code") == [("k", 1), ("j", 4), ("j", 1)]
        assert found("via=admin") == []
        assert found("until=2020-01-01T00:00:00Z") == []
        assert [change["job_exists"] for change in api.get("changes?action=created").json()["results"]] == [True, False]
        first = api.get("changes?limit=4").json()
        assert first["previous"] is None
        second = api.get(first["next"].replace("http://testserver", "")).json()
        assert [change["version"] for change in second["results"]] == [2, 1]

    def test_asks_as_often_for_many_as_for_few(self, api: Caller, django_assert_num_queries: Any) -> None:
        for number in (1, 10):
            for place in range(number):
                make(id=f"{number}-{place}")
            with django_assert_num_queries(3):  # session, user, changes
                api.get("changes")


class TestRestore:
    def test_brings_a_job_back(self, api: Caller) -> None:
        job = make()
        jobs.update(job=job, priority=5)
        change = Change.objects.order_by("id")[0].pk

        answer = api.send("post", "jobs/j/restore", {"change": change, "reason": "Too eager."})

        assert (answer.status_code, answer.json()["priority"], answer.headers["ETag"]) == (200, 0, '"3"')
        assert said() == ("restored", "anna", "api", "Too eager.")
        assert api.send("post", "jobs/j/restore", {"change": change}).json()["type"].endswith("nothing-to-restore")

    def test_makes_a_deleted_job_again(self, api: Caller) -> None:
        jobs.remove(job=make())
        change = Change.objects.order_by("-id")[0].pk

        assert api.send("post", "jobs/j/restore", {"change": change}).status_code == 200
        assert Job.objects.get().pk == "j"

    def test_needs_the_permission_to_add_for_that(self, login: Callable[..., Caller]) -> None:
        jobs.remove(job=make())
        change = Change.objects.order_by("-id")[0].pk

        assert login("change_job").send("post", "jobs/j/restore", {"change": change}).status_code == 403
        assert not Job.objects.exists()

    def test_refuses_a_change_of_another_job(self, api: Caller) -> None:
        make()
        make(id="k")
        change = Change.objects.get(job_key="k").pk

        assert api.send("post", "jobs/j/restore", {"change": change}).status_code == 404
