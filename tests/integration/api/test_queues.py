from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scheduler.models import Run

pytestmark = pytest.mark.django_db

SQUARE = "sample.square"


@pytest.fixture
def caller(login: Callable[..., Any]) -> Any:
    return login()


class TestEnqueueing:
    def test_answers_with_the_run(self, caller: Any) -> None:
        body = {"kwargs": {"number": 3}, "queue": "mail", "priority": 7, "run_after": "2100-01-01T00:00:00Z"}
        answer = caller.send("post", f"tasks/{SQUARE}/enqueue", body)
        assert answer.status_code == 202, answer.json()
        run = answer.json()
        assert (run["task"], run["queue"], run["executor"], run["priority"]) == (SQUARE, "mail", "default", 7)
        assert (run["kind"], run["job"], run["job_exists"], run["requested_by"]) == ("enqueued", "", False, "anna")
        assert run["result_id"] == str(Run.objects.get().public_id)
        assert answer["Location"].endswith(f"/runs/{run['id']}")

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"kwargs": {"numbr": 3}}, "/kwargs/numbr"),
            ({"kwargs": {"number": 3}, "queue": "a@b"}, "/queue"),
            ({"kwargs": {"number": 3}, "queue": "a/../b"}, "/queue"),
            ({"kwargs": {"number": 3}, "priority": 101}, "/priority"),
        ],
    )
    def test_refuses_what_does_not_fit(self, caller: Any, body: Any, pointer: str) -> None:
        answer = caller.send("post", f"tasks/{SQUARE}/enqueue", body)
        assert answer.status_code == 400
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]
        assert not Run.objects.exists()

    def test_of_a_task_that_is_unknown_is_not_found(self, caller: Any) -> None:
        assert caller.send("post", "tasks/nobody.knows/enqueue", {}).status_code == 404

    def test_is_done_once_for_a_key(self, caller: Any) -> None:
        for _ in range(2):
            answer = caller.send("post", "tasks/sample.nothing/enqueue", {}, **{"Idempotency-Key": "once"})
            assert answer.status_code == 202
        assert Run.objects.count() == 1


class TestRuns:
    def test_are_filtered_by_queue_and_task(self, caller: Any) -> None:
        for queue in ("mail", "default"):
            caller.send("post", "tasks/sample.nothing/enqueue", {"queue": queue})
        caller.send("post", f"tasks/{SQUARE}/enqueue", {"kwargs": {"number": 1}, "queue": "mail"})
        found = caller.get("runs", {"queue": "mail", "task": SQUARE}).json()["results"]
        assert [(run["queue"], run["task"]) for run in found] == [("mail", SQUARE)]
        assert len(caller.get("runs", {"queue": "default"}).json()["results"]) == 1


class TestQueues:
    def test_are_listed_with_what_waits(self, caller: Any) -> None:
        caller.send("post", "tasks/sample.nothing/enqueue", {"queue": "mail"})
        found = {queue["name"]: queue for queue in caller.get("queues").json()["results"]}
        assert set(found) == {"default", "mail"}
        assert (found["mail"]["queued"], found["mail"]["is_paused"]) == (1, False)

    def test_are_paused_and_resumed_once(self, caller: Any) -> None:
        paused = caller.send("post", "queues/mail/pause", {"reason": "moving"})
        assert (paused.status_code, paused.json()["is_paused"]) == (200, True)
        assert (paused.json()["paused_by"], paused.json()["pause_reason"]) == ("anna", "moving")
        assert caller.send("post", "queues/mail/pause", {"reason": "moving"}).status_code == 409
        assert caller.send("post", "queues/mail/resume").json()["is_paused"] is False
        assert caller.send("post", "queues/mail/resume").status_code == 409

    def test_cannot_be_paused_until_a_time_that_has_passed(self, caller: Any) -> None:
        answer = caller.send("post", "queues/mail/pause", {"until": "2001-01-01T00:00:00Z"})
        assert answer.status_code == 400


class TestRetention:
    def test_of_a_queue_is_set_and_read(self, caller: Any) -> None:
        answer = caller.send("put", "queues/mail/retention", {"successes_days": 0.5, "failures_days": None})
        assert answer.status_code == 200, answer.json()
        read = caller.get("queues/mail").json()
        assert (read["keep_successes_days"], read["keep_failures_days"]) == (0.5, None)

    @pytest.mark.parametrize("days", [-1, 36_501, "many", True])
    def test_that_cannot_be_is_refused_with_its_place(self, caller: Any, days: Any) -> None:
        answer = caller.send("put", "queues/mail/retention", {"successes_days": days, "failures_days": None})
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/successes_days"]
