"""The page of a run: what it says, shows, masks and refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scheduler import sealing
from scheduler.core.states import RunState
from scheduler.models import NodeMeasure, Run
from scheduler.services import jobs
from tests.integration.admin.runs import TRACEBACK, action, node, page, run

RUNS = reverse("admin:scheduler_run_changelist")


@pytest.mark.usefixtures("patient_with_heartbeats")
class TestRunPage:
    def test_begins_with_a_sentence_and_shows_own_frames_first(
        self, client: Client, django_assert_max_num_queries: Callable[..., Any]
    ) -> None:
        shown = run(
            state=RunState.FAILED,
            error="ValueError: <i>",
            traceback=TRACEBACK,
            args=[1],
            kwargs={"days": 7},
            node=node().pk,
            log="02:14:00.120 WARNING here: <b>\x1b[0m",
        )

        with django_assert_max_num_queries(13):
            response = client.get(page(shown))

        text = response.content.decode()
        assert response.context["sentence"] == "Failed after 3.0 s on web-2: ValueError: <i> (shop.py:118)"
        assert text.index("/srv/shop.py") < text.index("site-packages/httpx")
        for part in ("&quot;days&quot;: 7", "here: &lt;b&gt;</bdi>", "The whole traceback, 3 frames"):
            assert part in text

    def test_says_at_what_age_its_output_was_dropped(self, client: Client) -> None:
        ended = timezone.now() - timedelta(days=20)
        kept = run(state=RunState.FAILED, error="ValueError: no", finished_at=ended)
        went = run(
            state=RunState.FAILED,
            error="ValueError: no",
            finished_at=ended,
            output_dropped_at=ended + timedelta(days=7, hours=3),
        )

        assert 'id="dropped"' not in client.get(page(kept)).content.decode()
        text = client.get(page(went)).content.decode()
        assert "Output dropped after 7 days: the result, the log and the traceback are no longer kept." in text
        assert "ValueError: no" in text

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ({}, "Succeeded after 3.0 s."),
            ({"state": "queued", "started_at": None, "finished_at": None, "held": True}, "Waiting for another run"),
            (
                {"state": "running", "finished_at": None, "cancel_requested_at": timezone.now()},
                "Cancellation requested",
            ),
            ({"state": "timed_out", "error": "TimedOut: 5 s"}, "Timed out after 3.0 s: TimedOut: 5 s"),
            ({"state": "interrupted", "reason": "Its node died."}, "It may or may not have finished."),
            ({"state": "missed", "started_at": None, "reason": "12 min late."}, "Missed: 12 min late."),
            ({"state": "skipped", "started_at": None, "reason": "1 run is active."}, "Skipped: 1 run is active."),
            ({"state": "cancelled", "reason": "Cancelled by anna."}, "Cancelled after 3.0 s: Cancelled by anna."),
        ],
    )
    def test_has_a_sentence_for_every_state(self, client: Client, values: dict[str, Any], sentence: str) -> None:
        assert sentence in client.get(page(run(**values))).context["sentence"]

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            (
                {"rings": 1, "rung_at": timedelta(seconds=12)},
                "Sent to the queue “celery:scrape” 12 s ago, and no worker took it. 0 workers serve this queue.",
            ),
            (
                {"rings": 3, "rung_at": timedelta(minutes=5)},
                "ago, and no worker took it. It was sent 3 times. 0 workers serve this queue.",
            ),
            ({}, "to be sent to the queue “celery:scrape”. 0 workers serve this queue."),
            ({"held": True}, "Waiting for another run of its job to end."),
        ],
        ids=["sent", "sent again", "not sent", "held"],
    )
    def test_names_the_last_message_to_a_remote_executor(
        self, client: Client, values: dict[str, Any], sentence: str
    ) -> None:
        now = timezone.now()
        if "rung_at" in values:
            values = {**values, "rung_at": now - values["rung_at"]}
        queued = {"state": "queued", "started_at": None, "finished_at": None, "executor": "celery:scrape@mail"}

        shown = client.get(page(run(at=now - timedelta(minutes=9), **{**queued, **values})))

        said = re.sub(r"\d+ s ago", "12 s ago", shown.context["sentence"])
        assert sentence in said

    def test_says_whether_a_node_could_take_a_run_that_waits(self, client: Client) -> None:
        node(executors={"default": 5})
        queued = {
            "state": "queued",
            "started_at": None,
            "finished_at": None,
            "at": timezone.now() - timedelta(minutes=9),
        }

        said = client.get(page(run(**queued))).context["sentence"]
        unserved = client.get(page(run(**queued, executor="threads"))).context["sentence"]

        assert said == "Queued for 9 min, waiting for a free worker."
        assert unserved == "Waiting for 9 min: no running node serves the executor “threads”."

    @pytest.mark.parametrize(
        ("executor", "sentence"),
        [
            (
                "default",
                "Cancellation requested 9 min ago, and the code has not checked for it. Restart the node web-2.",
            ),
            ("processpool", "Cancellation requested."),
        ],
    )
    def test_names_the_way_out_where_the_code_does_not_listen(
        self, client: Client, executor: str, sentence: str
    ) -> None:
        asked = timezone.now() - timedelta(minutes=9)
        deaf = run(
            state="running", finished_at=None, cancel_requested_at=asked, at=asked, executor=executor, node=node().pk
        )

        assert client.get(page(deaf)).context["sentence"].endswith(sentence)

    def test_names_the_workers_and_the_refusal_of_the_broker(self, client: Client) -> None:
        queued = {"state": "queued", "started_at": None, "finished_at": None, "executor": "celery:scrape"}
        ringing = node()
        NodeMeasure.objects.create(
            node=ringing,
            clock_at=timezone.now(),
            backlog=0,
            brokers={"celery": {"error": "It is away.", "since": timezone.now().isoformat()}},
        )
        node(kind="celery", queues=["scrape"], executors={"celery": 4})
        node(kind="celery", queues=["mail"], executors={"celery": 4})

        said = client.get(page(run(**queued))).context["sentence"]

        assert said == (
            "Waiting: the broker of “celery:scrape” refuses messages (It is away). 1 worker serves this queue."
        )

    def test_shows_the_attempts_and_the_runs_around(self, client: Client) -> None:
        job = jobs.create(id="nightly", task="scheduler.cleanup_jobs", trigger={"type": "interval", "hours": 1})
        at = timezone.now() - timedelta(hours=5)
        before = run(job=job, at=at - timedelta(hours=1))
        first = run(job=job, at=at, state=RunState.FAILED, error="E")
        second = run(job=job, at=at, attempt=2, kind="retry", state=RunState.FAILED, error="E")
        after = run(job=job, at=at + timedelta(hours=1))

        context = client.get(page(second)).context

        assert [item["run"].pk for item in context["attempts"]] == [first.pk, second.pk]
        assert [item["run"].pk for item in context["around"]] == [before.pk, after.pk, before.pk]

    def test_survives_what_it_points_to_being_gone(self, client: Client) -> None:
        shown = run(previous_id=987_654_321, job_id="never-existed", node=uuid4(), state="failed", error="E")

        assert str(shown.node)[:8] in client.get(page(shown)).content.decode()

    def test_masks_what_is_sealed(self, client: Client) -> None:
        shown = run(kwargs={"token": sealing.seal("hush"), "deep": [sealing.seal("hush")]})

        text = client.get(page(shown)).content.decode()

        assert "$sealed" not in text
        assert text.count("•••") == 4  # among the arguments, and in the text for a ticket

    def test_shows_no_output_to_those_who_may_not_see_it(self, login: Callable[..., Client]) -> None:
        shown = run(kwargs={"days": 7}, log="a line", result=5, traceback=TRACEBACK, state="failed", error="E")
        client = login("view_run")

        text = client.get(page(shown)).content.decode()

        assert not [part for part in ("&quot;days&quot;", "a line", "shop.py") if part in text]
        assert client.get(action("log", shown)).status_code == 403

    def test_serves_the_log_as_a_file(self, client: Client) -> None:
        response = client.get(action("log", run(log="<b>")))

        assert (response.content, response["Content-Type"]) == (b"<b>", "text/plain; charset=utf-8")
        assert "attachment" in response["Content-Disposition"]

    def test_cannot_be_changed_by_anybody(self, client: Client) -> None:
        shown = run()

        assert client.post(page(shown), {"state": "failed"}).status_code == 403
        assert client.get(reverse("admin:scheduler_run_add")).status_code == 403
        assert client.post(reverse("admin:scheduler_run_delete", args=[shown.pk]), {"post": "yes"}).status_code == 403
        assert client.post(RUNS, {"action": "delete_selected", "_selected_action": [shown.pk]}).status_code == 405
        assert Run.objects.get().state == RunState.SUCCEEDED

    @pytest.mark.parametrize("id", ["0", "9" * 30, "x"])
    def test_is_not_there_for_what_never_was(self, client: Client, id: str) -> None:
        assert client.get(f"{RUNS}{id}/change/").status_code == 404

    def test_is_closed_without_the_permission(self, login: Callable[..., Client]) -> None:
        assert login("view_job").get(page(run())).status_code == 403

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [(0.0042, "4 ms"), (3, "3.0 s"), (59.94, "59.9 s"), (119.6, "2 min 0 s"), (3 * 3600 + 125, "3 h 2 min")],
    )
    def test_says_how_long_it_took(self, client: Client, seconds: float, words: str) -> None:
        at = timezone.now()
        shown = run(started_at=at, finished_at=at + timedelta(seconds=seconds))

        assert f"took {words}" in client.get(page(shown)).content.decode()
