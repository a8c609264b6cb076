"""What may be done with a run: retry, run again with other arguments, cancel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from scheduler.core.states import RunState
from scheduler.models import Run
from scheduler.services import jobs, runs
from tests.integration.admin.runs import action, node, page, run, yes


class TestRunActions:
    @pytest.fixture
    def failed(self, db: None) -> Run:
        job = jobs.create(id="nightly", task="scheduler.cleanup_jobs", trigger={"type": "interval", "hours": 1})
        return run(job=job, state=RunState.FAILED, error="E", kwargs={"days": 7})

    @pytest.mark.parametrize("name", ["retry", "again", "cancel"])
    def test_ask_first_and_answer_only_to_post(self, client: Client, failed: Run, name: str) -> None:
        assert 'name="confirmed"' in client.get(action(name, failed)).content.decode()
        assert 'name="confirmed"' in client.post(action(name, failed)).content.decode()
        assert Run.objects.count() == 1

    def test_retry_queues_one_attempt_however_often_yes_is_sent(self, client: Client, failed: Run) -> None:
        first = yes(client, action("retry", failed), confirmed="key")
        second = yes(client, action("retry", failed), confirmed="key")

        created = Run.objects.get(attempt=2)
        assert (created.kind, created.requested_by) == ("retry", "anna")
        assert first.url == second.url == page(created)

    def test_run_again_takes_other_arguments(self, client: Client, failed: Run) -> None:
        yes(client, action("again", failed), **{"kwargs-mode": "fields", "kwargs-value-days": "9"})

        assert Run.objects.get(kind="manual").kwargs == {"days": 9}

    @pytest.mark.parametrize(
        ("typed", "sentence"), [("{", "Enter a valid JSON"), ("[1]", "object"), ('{"dayz": 1}', "Did you mean “days”?")]
    )
    def test_run_again_keeps_what_was_typed_and_says_what_is_wrong(
        self, client: Client, failed: Run, typed: str, sentence: str
    ) -> None:
        response = yes(client, action("again", failed), **{"kwargs-mode": "json", "kwargs": typed})

        assert sentence in response.context["problem"]
        assert escape(typed) in response.context["question"].arguments
        assert Run.objects.count() == 1

    def test_run_again_keeps_a_secret_whose_mask_was_left(self, client: Client) -> None:
        job = jobs.create(
            id="call",
            task="governed.use_secret",
            kwargs={"token": "hush-hush"},
            trigger={"type": "interval", "hours": 1},
        )
        before = run(job=job, task=job.task, kwargs=job.kwargs)

        shown = client.post(action("again", before)).context["question"].arguments
        yes(client, action("again", before), **{"kwargs-mode": "fields", "kwargs-kept": "token"})

        assert 'name="kwargs-kept" value="token"' in shown
        assert Run.objects.get(kind="manual").kwargs == job.kwargs

    def test_cancel_ends_what_has_not_begun(self, client: Client, failed: Run) -> None:
        queued = runs.retry(run=failed)

        response = yes(client, action("cancel", queued))

        queued.refresh_from_db()
        assert (response.url, queued.state) == (page(queued), RunState.CANCELLED)
        assert "anna" in queued.reason

    def test_say_what_the_services_refused(self, client: Client, failed: Run) -> None:
        response = client.post(action("cancel", failed), {"confirmed": "x"}, follow=True)

        assert "has finished already" in response.content.decode()

    def test_say_that_it_is_running(self, client: Client, failed: Run) -> None:
        run(job=failed.job, at=timezone.now() + timedelta(1), state=RunState.RUNNING, finished_at=None, node=node().pk)

        text = client.post(action("retry", failed)).content.decode()

        assert "Already running on web-2. This run will wait." in text

    @pytest.mark.parametrize(
        ("permissions", "allowed"),
        [
            (("view_run",), set()),
            (("view_run", "retry_run"), {"retry"}),
            (("view_run", "cancel_run"), {"cancel"}),
            (("view_run", "run_job"), set()),
            (("view_run", "run_job", "view_run_output"), set()),
            (("view_run", "run_job", "view_run_output", "change_job"), {"again"}),
            (("retry_run", "cancel_run", "run_job", "view_run_output"), set()),
        ],
    )
    def test_open_to_those_who_were_allowed_and_shown_to_no_others(
        self, login: Callable[..., Client], failed: Run, permissions: tuple[str, ...], allowed: set[str]
    ) -> None:
        client = login(*permissions)

        open_ones = {
            name for name in ("retry", "again", "cancel") if client.post(action(name, failed)).status_code == 200
        }
        text = client.get(page(failed)).content.decode()

        assert open_ones == allowed
        assert {name for name in ("retry", "again", "cancel") if action(name, failed) in text} == allowed - {"cancel"}
