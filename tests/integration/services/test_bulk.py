"""One action on many: everything that was selected, once, with a true total, whoever works it off and whenever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from scheduler.core.states import JobState, RunState
from scheduler.errors import InvalidRequest
from scheduler.models import BulkAction, Job, Run
from scheduler.services import bulk, jobs
from scheduler.services.bulk import Selection
from scheduler.services.queries.job_queries import JobFilter
from scheduler.services.queries.run_queries import RunFilter
from scheduler.store.clock import database_now
from tests.integration.admin.runs import run, yes
from tests.integration.api.conftest import EVERY_HOUR
from tests.ledger import add_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(admin_client: Client) -> Client:
    return admin_client


def job(id: str = "j", **changes: Any) -> Job:
    return jobs.create(id=id, task="sample.nothing", trigger=EVERY_HOUR, **changes)


def queued(of: Job, number: int) -> None:
    now = database_now()
    for back in range(number):
        add_run(of, scheduled_at=now - timedelta(minutes=back), held=bool(back))


def through(row: BulkAction) -> BulkAction:
    while row.finished_at is None:
        row = bulk.step(id=row.pk, seconds=0)
    return row


class TestRuns:
    def test_that_wait_are_all_cancelled(self) -> None:
        queued(job(), 620)
        queued(job("other"), 2)

        selection = Selection(filter=RunFilter(job="j", states=("queued",)))
        row = bulk.begin(subject="runs", action="cancel", selection=selection, actor="a")
        after_one = bulk.step(id=row.pk, seconds=0)
        row = through(row)

        assert (after_one.done, after_one.finished_at) == (500, None)
        assert (row.total, row.done, row.refused) == (620, 620, 0)
        assert Run.objects.filter(job="j", state=RunState.CANCELLED, reason_code="cancelled_by").count() == 620
        assert Run.objects.filter(job="other", state=RunState.QUEUED).count() == 2

    def test_are_retried_once_each_although_the_retries_match_as_well(self) -> None:
        made = job(max_instances=100)
        for back in range(45):
            run(
                job=made,
                job_key="j",
                at=database_now() - timedelta(hours=back + 1),
                state="failed",
                error="E",
                task="sample.nothing",
            )

        row = through(
            bulk.begin(subject="runs", action="retry", selection=Selection(filter=RunFilter(job="j")), actor="a")
        )

        assert (row.total, row.done) == (45, 45)
        assert Run.objects.filter(kind="retry").count() == 45

    def test_say_which_were_refused_and_why(self) -> None:
        made = job()
        ended = run(job=made, job_key="j", task="sample.nothing")
        waiting = add_run(made, scheduled_at=database_now())

        row = through(
            bulk.begin(subject="runs", action="delete", selection=Selection(ids=(ended.pk, waiting.pk)), actor="a")
        )

        assert (row.total, row.done, row.refused) == (2, 1, 1)
        assert [(each["id"], each["code"]) for each in row.refusals] == [(waiting.pk, "run_is_active")]
        assert list(Run.objects.values_list("pk", flat=True)) == [waiting.pk]

    def test_are_left_alone_after_a_stop(self) -> None:
        queued(job(), 1)
        row = bulk.begin(subject="runs", action="cancel", selection=Selection(filter=RunFilter(job="j")), actor="a")

        bulk.stop(id=row.pk)
        row = through(row)

        assert (row.done, row.total) == (0, 1)
        assert Run.objects.get().state == RunState.QUEUED

    def test_of_no_match_are_finished_at_once(self) -> None:
        row = bulk.begin(subject="runs", action="cancel", selection=Selection(filter=RunFilter(job="x")), actor="a")

        assert (row.total, row.finished_at is not None) == (0, True)

    def test_are_found_by_the_name_of_their_job(self) -> None:
        add_run(job("r4nd0m", name="Refresh the index of 7"), scheduled_at=database_now())
        add_run(job("other"), scheduled_at=database_now())

        from scheduler.services.queries import run_queries

        found = run_queries.runs(filter=RunFilter(name="index of 7"))
        assert [each.job_id for each in found] == ["r4nd0m"]


class TestJobs:
    def test_are_all_paused_with_reason_and_end(self) -> None:
        for number in range(45):
            job(str(number), tags=["shop"])
        job("other")
        until = database_now() + timedelta(hours=1)

        row = through(
            bulk.begin(
                subject="jobs",
                action="pause",
                selection=Selection(filter=JobFilter(tags=("shop",))),
                parameters={"reason": "maintenance", "until": until.isoformat()},
                actor="anna",
            )
        )

        assert (row.total, row.done) == (45, 45)
        paused = Job.objects.filter(state=JobState.PAUSED)
        assert (paused.count(), {each.paused_until for each in paused}) == (45, {until})
        assert {(each.state_reason, each.state_changed_by) for each in paused} == {("maintenance", "anna")}

    def test_are_edited_and_those_that_cannot_be_are_named(self) -> None:
        job("a")
        jobs.create(
            id="b", task="sample.nothing", trigger={"type": "cron", "expression": "0 9 * * *", "timezone": "UTC"}
        )

        row = through(
            bulk.begin(
                subject="jobs",
                action="edit",
                selection=Selection(ids=("a", "b")),
                parameters={"changes": {"interval_seconds": 60, "timeout": 5}},
                actor="anna",
            )
        )

        assert (row.done, row.refused, row.refusals[0]["id"]) == (1, 1, "b")
        edited = Job.objects.get(pk="a")
        assert (edited.trigger["minutes"], edited.timeout, "hours" in edited.trigger) == (1, 5, False)

    @pytest.mark.parametrize(
        "changes", [{}, {"nonsense": 1}, {"timeout": -1}, {"interval_seconds": None}, {"timezone": "Mars"}]
    )
    def test_are_not_edited_by_nonsense(self, changes: dict[str, Any]) -> None:
        with pytest.raises(InvalidRequest):
            bulk.begin(
                subject="jobs",
                action="edit",
                selection=Selection(ids=("a",)),
                parameters={"changes": changes},
                actor="",
            )


class TestTheAdmin:
    def test_asks_and_follows_what_is_done_with_all_runs_that_match(self, client: Client) -> None:
        queued(job(), 3)
        address = reverse("admin:scheduler_run_many") + "?job=j"

        question = client.post(address, {"action": "cancel", "select_across": "1"}).content.decode()
        answer = yes(client, address, action="cancel", select_across="1")
        row = through(BulkAction.objects.get())
        page = client.get(answer.url)

        assert "3 runs are selected." in question
        assert (row.total, row.done) == (3, 3)
        assert page.context["sentence"] == "Finished: 3 of 3 done."

    def test_does_it_to_those_that_are_ticked(self, client: Client) -> None:
        made = job()
        chosen = add_run(made, scheduled_at=database_now())
        add_run(made, scheduled_at=database_now() - timedelta(hours=1))

        yes(
            client,
            reverse("admin:scheduler_run_many"),
            action="cancel",
            select_across="0",
            _selected_action=str(chosen.pk),
        )
        through(BulkAction.objects.get())

        assert list(Run.objects.filter(state=RunState.CANCELLED)) == [chosen]

    def test_cancels_everything_queued_of_a_job(self, client: Client) -> None:
        queued(job(), 25)

        page = client.get(reverse("admin:scheduler_job_page", args=["j"]))

        assert page.context["queued"] == 25
        assert "25 runs are selected." in client.get(page.context["cancel_queued"]).content.decode()

    def test_pauses_everything(self, client: Client) -> None:
        for number in range(3):
            job(str(number))

        answer = yes(client, reverse("admin:scheduler_job_pause_all"), reason="release", ends="hour")
        through(BulkAction.objects.get())

        assert Job.objects.filter(state=JobState.PAUSED, reason_text="release").count() == 3
        assert client.get(answer.url).status_code == 200

    def test_works_off_many_jobs_in_the_background(self, client: Client) -> None:
        for number in range(60):
            job(f"{number:02}")
        selected = {"action": "pause", "select_across": "1", "_selected_action": "00"}

        answer = yes(client, reverse("admin:scheduler_job_changelist"), reason="r", **selected)
        row = through(BulkAction.objects.get())

        assert (row.total, row.done, "/bulkaction/" in answer.url) == (60, 60, True)
        assert Job.objects.filter(state=JobState.PAUSED).count() == 60

    def test_lets_only_those_stop_it_who_began_it_or_may_delete_jobs(
        self, client: Client, django_user_model: Any
    ) -> None:
        queued(job(), 1)
        row = bulk.begin(subject="runs", action="cancel", selection=Selection(filter=RunFilter(job="j")), actor="ben")
        stop = reverse("admin:scheduler_bulkaction_stop", args=[row.pk])
        django_user_model.objects.create_user("vera", is_staff=True)
        stranger = Client()
        stranger.force_login(django_user_model.objects.get(username="vera"))

        assert stranger.post(stop).status_code == 403
        assert client.post(stop).status_code == 302
        assert bulk.get(id=row.pk).stop_requested_at is not None
