from __future__ import annotations

from threading import Barrier, Thread
from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import override_settings

from scheduler.models import Job, Run
from scheduler.services import jobs
from tests.integration.api.conftest import EVERY_HOUR, Caller

NEW = {"id": "hourly", "task": "sample.square", "kwargs": {"number": 3}, "trigger": EVERY_HOUR}


def add(id: str = "hourly", **changes: Any) -> Job:
    return jobs.create(**{**NEW, "id": id, **changes})


class TestCreating:
    def test_answers_with_the_job_its_address_and_its_version(self, api: Caller) -> None:
        answer = api.send("post", "jobs", {**NEW, "max_retries": 2, "name": "Every hour"})

        assert answer.status_code == 201
        assert answer["Location"] == "/api/v1/scheduler/jobs/hourly"
        assert answer["ETag"].startswith('"1')
        job = Job.objects.get(pk="hourly")
        assert (job.name, job.max_retries, job.source, job.created_by) == ("Every hour", 2, "api", "anna")
        assert answer.json()["when"] == "every hour"
        assert answer.json()["next_run_time"].endswith("Z")

    @pytest.mark.parametrize(
        ("change", "type", "pointer", "code"),
        [
            ({"task": "sample.sqare"}, "unknown-task", "/task", "unknown_task"),
            ({"kwargs": {"number": "three"}}, "invalid-arguments", "/kwargs/number", "int_parsing"),
            ({"kwargs": {"numbr": 3}}, "invalid-arguments", "/kwargs/numbr", "unknown_argument"),
            ({"kwargs": {}}, "invalid-arguments", "/kwargs/number", "missing"),
            ({"trigger": {"type": "cron", "expression": "0 0 31 2 *"}}, "never-fires", "/trigger/expression", None),
            (
                {"trigger": {"type": "cron", "expression": "0 0 * * *", "timezone": "Mars/X"}},
                "invalid-trigger",
                "/trigger/timezone",
                None,
            ),
            ({"trigger": {"type": "interval", "hours": 0}}, "invalid-trigger", None, None),
            (
                {
                    "trigger": {
                        "type": "interval",
                        "hours": 1,
                        "start_at": "2030-01-02T00:00:00Z",
                        "end_at": "2030-01-01T00:00:00Z",
                    }
                },
                "invalid-trigger",
                None,
                None,
            ),
            ({"executor": "moon"}, "unknown-executor", "/executor", "unknown_executor"),
            ({"max_instances": 0}, "invalid-request", "/max_instances", "greater_than_equal"),
            ({"colour": "red"}, "invalid-request", "/colour", "extra_forbidden"),
            ({"name": "a\x00b"}, "invalid-request", None, None),
            ({"id": "a/run"}, "invalid-name", "/id", "invalid_name"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_refuses_what_cannot_work_and_says_where(
        self, api: Caller, change: dict[str, Any], type: str, pointer: str | None, code: str | None
    ) -> None:
        answer = api.send("post", "jobs", {**NEW, **change})

        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"
        problem = answer.json()
        assert problem["type"] == f"/api/v1/scheduler/problems/{type}"
        assert problem["status"] == 400
        if pointer:
            assert problem["errors"][0]["pointer"] == pointer
        if code:
            assert problem["errors"][0]["code"] == code
        assert api.get(problem["type"]).json()["title"] == problem["title"]
        assert not Job.objects.exists()

    @pytest.mark.parametrize("id", ["a/../j", "../j", "a/./j", "a//j", "/j", "j/", ".", ".."])
    def test_refuses_an_id_that_clients_take_for_another_one(self, api: Caller, id: str) -> None:
        answer = api.send("post", "jobs", {**NEW, "id": id})

        assert answer.status_code == 400
        assert not Job.objects.exists()

    def test_refuses_an_id_that_is_taken(self, api: Caller) -> None:
        add()

        assert api.send("post", "jobs", NEW).status_code == 409

    @pytest.mark.parametrize("raw", [b"{", b"[]", b"\xff", b'{"a": NaN}', b"[" * 100_000, b'{"name": "\\ud800"}'])
    def test_refuses_what_is_no_such_json(self, api: Caller, raw: bytes) -> None:
        answer = api.generic("POST", "jobs", raw, content_type="application/json")

        assert answer.status_code == 400
        assert answer.json()["type"].endswith("/invalid-request")

    def test_refuses_another_content_type_and_too_large_a_body(self, api: Caller) -> None:
        assert api.generic("POST", "jobs", b"a=b", content_type="application/x-www-form-urlencoded").status_code == 415
        large = b'{"description": "' + b"x" * 3_000_000 + b'"}'
        assert api.generic("POST", "jobs", large, content_type="application/json").status_code == 413


class TestIdempotencyKey:
    def test_gives_the_same_answer_once(self, api: Caller) -> None:
        body = {key: value for key, value in NEW.items() if key != "id"}
        first = api.send("post", "jobs", body, **{"Idempotency-Key": "k1"})
        again = api.send("post", "jobs", body, **{"Idempotency-Key": "k1"})

        assert first.status_code == again.status_code == 201
        assert first.json() == again.json()
        assert (again["Location"], again["Idempotent-Replay"]) == (first["Location"], "true")
        assert Job.objects.count() == 1

    def test_is_refused_with_another_body(self, api: Caller) -> None:
        api.send("post", "jobs", NEW, **{"Idempotency-Key": "k1"})

        answer = api.send("post", "jobs", {**NEW, "id": "other"}, **{"Idempotency-Key": "k1"})

        assert answer.status_code == 422
        assert answer.json()["type"].endswith("/idempotency-key-reused")

    def test_keeps_nothing_of_a_request_that_was_refused(self, api: Caller) -> None:
        assert api.send("post", "jobs", {**NEW, "task": "x"}, **{"Idempotency-Key": "k1"}).status_code == 400

        assert api.send("post", "jobs", NEW, **{"Idempotency-Key": "k1"}).status_code == 201

    def test_queues_one_run_for_two_requests(self, api: Caller) -> None:
        add()
        answers = [api.send("post", "jobs/hourly/run", {}, **{"Idempotency-Key": "k"}) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [202, 202]
        assert Run.objects.get().pk == answers[1].json()["id"]
        assert answers[0]["Location"] == f"/api/v1/scheduler/runs/{Run.objects.get().pk}"


class TestChanging:
    def test_changes_only_what_is_given(self, api: Caller) -> None:
        before = add(description="Old.")

        answer = api.send("patch", "jobs/hourly", {"description": "New."})

        assert answer.json()["description"] == "New."
        after = Job.objects.get(pk="hourly")
        assert (after.next_run_time, after.trigger, after.kwargs) == (
            before.next_run_time,
            before.trigger,
            before.kwargs,
        )
        assert (answer["ETag"], after.updated_by) == ('"2"', "anna")

    def test_refuses_a_stale_edit_and_a_stale_deletion(self, api: Caller) -> None:
        add()
        seen = api.get("jobs/hourly")["ETag"]
        api.send("patch", "jobs/hourly", {"priority": 1}, **{"If-Match": seen})

        edit = api.send("patch", "jobs/hourly", {"priority": 2}, **{"If-Match": seen})
        deletion = api.send("delete", "jobs/hourly", **{"If-Match": seen})

        assert (edit.status_code, deletion.status_code) == (412, 412)
        assert edit.json()["type"].endswith("/stale-version")
        assert Job.objects.get().priority == 1
        assert api.send("delete", "jobs/hourly", **{"If-Match": '"2"'}).status_code == 204
        assert not Job.objects.exists()

    def test_pauses_and_resumes_and_may_be_asked_twice(self, api: Caller) -> None:
        add()

        answers = [api.send("post", "jobs/hourly/pause", {"reason": "Holiday."}) for _ in range(2)]
        assert [(answer.status_code, answer.json()["state_reason"]) for answer in answers] == [(200, "Holiday.")] * 2
        answers = [api.send("post", "jobs/hourly/resume") for _ in range(2)]
        assert [(answer.status_code, answer.json()["state"]) for answer in answers] == [(200, "active")] * 2

    def test_pauses_until_an_instant(self, api: Caller) -> None:
        add()

        answer = api.send("post", "jobs/hourly/pause", {"until": "2999-03-01T09:00:00+01:00"})

        assert answer.json()["paused_until"] == "2999-03-01T08:00:00Z"
        assert api.send("post", "jobs/hourly/resume").json()["paused_until"] is None

    @pytest.mark.parametrize(
        ("until", "sentence"),
        [
            ("2001-03-01T09:00:00Z", "until is “2001-03-01T09:00:00+00:00”, which is over"),
            ("2999-03-01T09:00:00", "“2999-03-01T09:00:00”): not an instant"),
            ("tomorrow", "tomorrow"),
            ("9999-12-31T23:59:59Z", "The year may be at most 9000."),
        ],
    )
    def test_refuses_a_pause_that_cannot_end_then(self, api: Caller, until: str, sentence: str) -> None:
        add()

        answer = api.send("post", "jobs/hourly/pause", {"until": until})

        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/until")
        assert sentence in answer.json()["detail"]
        assert Job.objects.get().state == "active"

    def test_clones_a_job_paused(self, api: Caller) -> None:
        add(max_retries=4)

        answer = api.send("post", "jobs/hourly/clone", {"id": "copy"})

        assert answer.status_code == 201
        copy = Job.objects.get(pk="copy")
        assert (copy.name, copy.max_retries, copy.state) == ("hourly (copy)", 4, "paused")

    def test_reaches_an_id_with_slashes_and_spaces(self, api: Caller) -> None:
        add("feeds/a b/ü")

        assert api.get("jobs/feeds%2Fa%20b%2F%C3%BC").json()["id"] == "feeds/a b/ü"
        assert api.send("post", "jobs/feeds/a%20b/ü/pause").json()["state"] == "paused"


class TestSecrets:
    NEW: ClassVar = {"id": "secret", "task": "governed.use_secret", "trigger": EVERY_HOUR}

    def test_are_masked_on_the_way_out_and_kept_when_the_mask_comes_back(self, api: Caller) -> None:
        answer = api.send("post", "jobs", {**self.NEW, "kwargs": {"token": "s3cr3t-value", "then": "return"}})
        assert answer.json()["kwargs"] == {"token": "•••", "then": "return"}
        sealed = Job.objects.get().kwargs["token"]

        answer = api.send("patch", "jobs/secret", {"kwargs": {"token": "•••", "then": "log"}})

        assert answer.json()["kwargs"] == {"token": "•••", "then": "log"}
        assert Job.objects.get().kwargs == {"token": sealed, "then": "log"}
        assert "s3cr3t" not in str(api.get("jobs").content)

    def test_are_not_replaced_by_a_mask(self, api: Caller) -> None:
        answer = api.send("post", "jobs", {**self.NEW, "kwargs": {"token": "•••", "then": "return"}})

        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == "/kwargs/token"

    def test_cannot_be_sent_sealed(self, api: Caller) -> None:
        answer = api.send("post", "jobs", {**self.NEW, "kwargs": {"token": {"$sealed": "x"}, "then": "return"}})

        assert answer.status_code == 400


class TestPreview:
    def test_says_in_words_and_instants_when_a_trigger_fires(self, api: Caller) -> None:
        trigger = {"type": "cron", "expression": "0 8 * * mon", "timezone": "Europe/Berlin"}

        answer = api.send("post", "jobs/preview", {"trigger": trigger, "count": 2, "after": "2027-03-25T00:00:00Z"})

        assert answer.json()["fire_times"] == ["2027-03-29T06:00:00Z", "2027-04-05T06:00:00Z"]
        described = api.send("post", "triggers/describe", {"trigger": trigger}).json()
        assert described["when"] == answer.json()["when"]
        add(trigger=trigger)
        assert len(api.get("jobs/hourly/next", {"count": 3}).json()["fire_times"]) == 3


class TestTheProjectsOwnRestFramework:
    @override_settings(
        REST_FRAMEWORK={
            "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.StaticHTMLRenderer"],
            "EXCEPTION_HANDLER": "tests.nowhere.handler",
        }
    )
    def test_changes_nothing_here(self, client: Any, db: None) -> None:
        answer = client.get("/api/v1/scheduler/jobs")

        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == "Bearer"
        assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.django_db(transaction=True)
class TestTwoRequestsAtOnce:
    def test_with_one_key_create_one_job(self) -> None:
        user = User.objects.create_user("anna", is_superuser=True)
        body = {key: value for key, value in NEW.items() if key != "id"}
        start, answers = Barrier(4), []

        def ask() -> None:
            caller = Caller()
            caller.force_authenticate(user)
            start.wait(120)
            answers.append(caller.send("post", "jobs", body, **{"Idempotency-Key": "k"}))
            connection.close()

        threads = [Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)

        assert [answer.status_code for answer in answers] == [201] * 4
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert Job.objects.count() == 1

    def test_of_the_same_version_lose_no_update(self) -> None:
        user = User.objects.create_user("anna", is_superuser=True)
        add()
        start, answers = Barrier(3), []

        def ask(priority: int) -> None:
            caller = Caller()
            caller.force_authenticate(user)
            start.wait(120)
            answers.append(caller.send("patch", "jobs/hourly", {"priority": priority}, **{"If-Match": '"1"'}))
            connection.close()

        threads = [Thread(target=ask, args=(number,)) for number in (1, 2, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)

        assert sorted(answer.status_code for answer in answers) == [200, 412, 412]
        kept = next(answer.json()["priority"] for answer in answers if answer.status_code == 200)
        assert Job.objects.get().priority == kept
