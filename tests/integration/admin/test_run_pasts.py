"""What a run's page says of the runs before it, and of how long it stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from scheduler import sealing
from scheduler.core.states import RunState
from scheduler.models import Job, Run
from scheduler.services import jobs
from tests.integration.admin.runs import TRACEBACK, node, page, run

NOW = timezone.now()
EVERY_HOUR = {"type": "interval", "hours": 1}


@pytest.fixture
def job(db: None) -> Job:
    return jobs.create(id="nightly", task="scheduler.cleanup_jobs", kwargs={"days": 20}, trigger=EVERY_HOUR)


def failed(job: Job, **values: Any) -> Run:
    return run(job=job, at=NOW, **{"state": RunState.FAILED, "error": "E", "traceback": TRACEBACK, **values})


class TestWhatChanged:
    def test_is_what_the_runs_recorded(self, client: Client, job: Job) -> None:
        before, after = node(name="web-1", version="1"), node(name="web-2", version="2")
        run(job=job, at=NOW - timedelta(hours=1), kwargs={"shop": 1, "gone": 2}, node=before.pk)
        shown = failed(job, kwargs={"shop": "<b>", "new": None}, kind="manual", node=after.pk)

        found = client.get(page(shown)).context["changes"]

        assert sorted((change["what"], change["before"], change["after"]) for change in found) == sorted(
            [
                ("Started by", "schedule", "manual"),
                ("Version of the node", "1", "2"),
                ("Node", "web-1", "web-2"),
                ("Argument shop", "1", '"<b>"'),
                ("Argument gone", "2", "–"),
                ("Argument new", "–", "null"),
            ]
        )

    def test_hides_secrets_and_says_so_when_nothing_did(self, client: Client, job: Job) -> None:
        run(job=job, at=NOW - timedelta(hours=1), kwargs={"token": sealing.seal("hush")})
        shown = failed(job, kwargs={"token": sealing.seal("other")})

        changes = client.get(page(shown)).context["changes"]
        Run.objects.update(kwargs={})
        text = client.get(page(shown)).content.decode()

        assert changes == [{"what": "Argument token", "before": '"•••"', "after": '"•••"'}]
        assert "No recorded change" in text

    def test_keeps_arguments_from_those_who_may_not_see_them(self, login: Callable[..., Client], job: Job) -> None:
        run(job=job, at=NOW - timedelta(hours=1), kwargs={"days": 1})

        assert login("view_run").get(page(failed(job, kwargs={"days": 2}))).context["changes"] == []

    def test_is_what_people_did_to_the_job_as_well(self, login: Callable[..., Client], job: Job) -> None:
        run(job=job, at=timezone.now() - timedelta(hours=1))
        jobs.update(job=job, timeout=5.0, kwargs={"days": 3})
        now = timezone.now() + timedelta(minutes=1)
        shown = run(job=job, at=now, state=RunState.FAILED, error="E")

        found = login("view_run", "view_job").get(page(shown)).context["changes"]

        assert [(change["what"], change["before"], change["after"]) for change in found] == [
            ("timeout of the job, changed by code", "null", "5")
        ]

    def test_is_not_asked_of_a_success_nor_without_one(self, client: Client, job: Job) -> None:
        first = run(job=job, at=NOW - timedelta(hours=2))

        assert client.get(page(first)).context["changes"] is None
        Run.objects.update(state="failed", error="E")
        assert client.get(page(failed(job))).context["changes"] is None


class TestHowLongItStays:
    def test_is_what_the_job_that_cleans_up_will_do(self, client: Client, job: Job) -> None:
        shown = run(at=NOW)
        goes = timezone.localtime(shown.finished_at + timedelta(days=20))

        said = client.get(page(shown)).context["forgotten"]
        jobs.pause(job=job)
        paused = client.get(page(shown)).context["forgotten"]

        assert said.startswith("Runs older than 20 days are deleted, except for the newest 10 of each job.")
        assert f"This run will be deleted on {goes.day} " in said
        assert "Automatic clean-up is off" in paused


class TestTheReport:
    def test_has_what_a_ticket_needs_as_text(self, client: Client, job: Job) -> None:
        shown = failed(job, node=node().pk, kwargs={"token": sealing.seal("hush")}, log="a\x1b[31m\u202e line")

        report = client.get(page(shown)).context["report"]

        for part in (
            "Failed after 3.0 s on web-2: E",
            f"#{shown.pk}",
            "(version 1)",
            "•••",
            "shop.py",
            "http://testser",
        ):
            assert part in report
        assert not [mark for mark in ("\x1b", "\u202e", "hush") if mark in report]

    def test_holds_no_output_for_those_who_may_not_see_it(self, login: Callable[..., Client], job: Job) -> None:
        shown = failed(job, kwargs={"days": 7}, log="a line")

        report = login("view_run").get(page(shown)).context["report"]

        assert not [part for part in ("days", "a line", "shop.py") if part in report]


class TestTheSentence:
    def test_says_what_nobody_can_know_once_the_node_is_silent(self, client: Client) -> None:
        silent = node(heartbeat_at=timezone.now() - timedelta(minutes=4, seconds=20))
        shown = run(state=RunState.RUNNING, finished_at=None, node=silent.pk)

        sentence = client.get(page(shown)).context["sentence"]

        assert "But web-2 stopped reporting 4 min ago. The run may or may not have finished." in sentence

    def test_costs_no_more_than_thirteen_queries(
        self, login: Callable[..., Client], job: Job, django_assert_max_num_queries: Callable[..., Any]
    ) -> None:
        run(job=job, at=NOW - timedelta(hours=1), node=node().pk)
        shown = failed(job, node=node().pk)
        client = login("view_job", "view_run", "run_job", "retry_run", "view_run_output")

        with django_assert_max_num_queries(13):
            client.get(page(shown))
