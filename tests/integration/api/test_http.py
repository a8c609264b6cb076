"""What HTTP offers to every resource: a beginning, validators, and waiting."""

from __future__ import annotations

from threading import Timer
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from scheduler.api.runs import views
from scheduler.core.states import RunState
from scheduler.models import Job, Run
from scheduler.services import jobs
from tests.integration.api.conftest import EVERY_HOUR, Caller

pytestmark = pytest.mark.django_db


def make() -> Job:
    return jobs.create(id="hourly", task="sample.square", kwargs={"number": 3}, trigger=EVERY_HOUR)


class TestAProbe:
    def test_that_finds_something_wrong_is_no_error_of_the_web(
        self, api: Caller, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert api.get("health").status_code == 503  # no node is alive

        assert [record for record in caplog.records if record.name == "django.request"] == []


class TestTheIndex:
    def test_names_the_resources_to_anybody(self) -> None:
        found = Caller().get("/api/v1/scheduler/").json()

        assert {"jobs", "runs", "health"} <= {resource["name"] for resource in found["resources"]}
        assert found["schema"].endswith("/api/v1/scheduler/schema")

    def test_leads_to_what_is_there(self, api: Caller) -> None:
        for resource in api.get("/api/v1/scheduler/").json()["resources"]:
            assert api.get(resource["href"].removeprefix("http://testserver")).status_code in (200, 503)


class TestIfNoneMatch:
    @pytest.mark.parametrize("path", ["jobs", "jobs/hourly", "tasks", "changes"])
    def test_spares_what_the_caller_knows(self, path: str, api: Caller) -> None:
        make()
        first = api.get(path)
        again = api.get(path, headers={"If-None-Match": f'"other", {first["ETag"]}'})

        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])

    def test_gives_what_changed_although_the_definition_did_not(self, api: Caller) -> None:
        job = make()
        first = api.get("jobs/hourly")
        jobs.run_now(job=job)
        again = api.get("jobs/hourly", headers={"If-None-Match": first["ETag"]})

        assert again.status_code == 200
        assert again["ETag"] != first["ETag"]
        assert api.send("patch", "jobs/hourly", {"priority": 1}, **{"If-Match": again["ETag"]}).status_code == 200
        assert api.send("patch", "jobs/hourly", {"priority": 2}, **{"If-Match": again["ETag"]}).status_code == 412


class TestIfMatch:
    @pytest.mark.parametrize("text", ["", " ", '""', "1", '"x"', '"1", "2"'])
    def test_that_is_no_etag_is_refused(self, text: str, api: Caller) -> None:
        make()

        assert api.send("patch", "jobs/hourly", {"priority": 1}, **{"If-Match": text}).status_code == 400


class TestWaiting:
    def test_answers_at_once_when_the_run_has_ended(self, api: Caller) -> None:
        run = jobs.run_now(job=make())
        Run.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED, finished_at=timezone.now())

        assert api.get(f"runs/{run.pk}?wait=30").json()["state"] == "succeeded"

    def test_answers_as_it_is_when_the_time_is_over(self, api: Caller) -> None:
        run = jobs.run_now(job=make())

        assert api.get(f"runs/{run.pk}?wait=0.2").json()["state"] == "queued"

    @pytest.mark.django_db(transaction=True)
    def test_answers_when_the_run_ends(self, api: Caller) -> None:
        run = jobs.run_now(job=make())

        def end() -> None:
            Run.objects.filter(pk=run.pk).update(state=RunState.FAILED, finished_at=timezone.now())
            connections.close_all()

        Timer(0.3, end).start()

        assert api.get(f"runs/{run.pk}?wait=30").json()["state"] == "failed"

    def test_does_not_take_the_web_away(self, api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        class Taken:
            def acquire(self, **_: Any) -> bool:
                return False

        monkeypatch.setattr(views, "_waits", Taken())
        run = jobs.run_now(job=make())

        assert api.get(f"runs/{run.pk}?wait=30").json()["state"] == "queued"

    @pytest.mark.parametrize("seconds", ["-1", "31", "soon", "nan"])
    def test_has_limits(self, seconds: str, api: Caller) -> None:
        run = jobs.run_now(job=make())

        assert api.get(f"runs/{run.pk}?wait={seconds}").status_code == 400


class TestATriggerThatCannotBeRead:
    def test_is_null_as_its_words_are(self, api: Caller) -> None:
        make()
        Job.objects.update(trigger={"type": "moon"})

        found = api.get("jobs/hourly").json()

        assert (found["trigger"], found["when"]) == (None, None)


class TestATriggerThatIsTooCostly:
    def test_is_refused(self, api: Caller) -> None:
        seconds = [
            {"type": "interval", "seconds": 97 + number, "start_at": f"2026-01-01T00:00:{number:02}Z"}
            for number in range(10)
        ]

        answer = api.send("post", "triggers/describe", {"trigger": {"type": "and", "triggers": seconds}})

        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] in ("too_costly", "never_fires")
