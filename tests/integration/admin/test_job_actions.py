from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from scheduler.admin import addresses
from scheduler.admin.bulk import bulk_admin, bulk_change
from scheduler.admin.format.display import clock
from scheduler.admin.format.display_zone import COOKIE
from scheduler.admin.jobs.pausing import until_of
from scheduler.core.states import JobSource, JobState, RunKind
from scheduler.models import BulkAction, IdempotencyKey, Job, Run
from scheduler.services import bulk, jobs, masking
from tests.integration.admin.test_jobs import LIST, act, errors, filled_in, make, page, said
from tests.waiting import keep_to_one


class TestActions:
    def test_pause_and_resume(self, client: Client) -> None:
        make("a")
        make("b")

        assert said(act(client, "pause", "a", "b"))[-1] == "Paused 2 jobs."
        assert set(Job.objects.values_list("state", "next_run_time", "state_changed_by")) == {("paused", None, "anna")}
        assert said(act(client, "resume", "a"))[-1] == "Resumed 1 job."
        assert Job.objects.get(pk="a").next_run_time is not None

    def test_run_now_queues_a_run_and_links_to_it(self, client: Client) -> None:
        before = make()

        response = act(client, "run_now", "nightly")

        run = Run.objects.get()
        assert (run.kind, run.requested_by) == (RunKind.MANUAL, "anna")
        assert said(response)[0].startswith("Queued 1 run: ")
        assert reverse("admin:scheduler_run_change", args=[run.pk]) in said(response)[0]
        assert Job.objects.get().next_run_time == before.next_run_time

    def test_show_the_arguments_before_a_run(self, client: Client) -> None:
        make(kwargs={"days": 12_345})

        asked = client.post(reverse("admin:scheduler_job_run", args=["nightly"]))

        assert "<pre>{\n  &quot;days&quot;: 12345\n}</pre>" in asked.content.decode()

    def test_say_what_was_refused_and_do_the_rest(self, client: Client) -> None:
        make("a", paused=True)
        make("b")

        response = act(client, "pause", "a", "b")

        assert said(response) == ["“a” is paused already.", "Paused 1 job."]

    def test_say_only_the_first_refusals(self, client: Client) -> None:
        ids = [f"job-{number}" for number in range(8)]
        for id in ids:
            make(id, paused=True)

        assert said(act(client, "pause", *ids))[5:] == ["3 more jobs were rejected."]

    def test_refuse_to_run_a_broken_job(self, client: Client) -> None:
        make()
        Job.objects.update(state=JobState.BROKEN, reason_text="No task is registered.")

        assert said(act(client, "run_now", "nightly")) == ["“nightly” cannot run: No task is registered."]
        assert not Run.objects.exists()

    def test_ask_before_anything_is_done(self, client: Client) -> None:
        make("a")
        make("b")

        asked = client.post(LIST, {"action": "pause", "_selected_action": ["a", "b"], "index": 0})

        assert "Pause these jobs?" in asked.content.decode()
        assert {job.state for job in Job.objects.all()} == {JobState.ACTIVE}

    def test_pause_all_that_match_with_a_reason(self, client: Client) -> None:
        make("a")
        make("b")

        act(client, "pause", "a", select_across="1", reason="proxy banned")

        assert set(Job.objects.values_list("state", "reason_text")) == {("paused", "proxy banned")}

    def test_a_second_yes_of_the_same_question_changes_nothing(self, client: Client) -> None:
        make()

        act(client, "run_now", "nightly", confirmed="once")
        act(client, "run_now", "nightly", confirmed="once")

        assert Run.objects.count() == 1


class TestPausingUntil:
    def ask(self, client: Client, **answer: str) -> Any:
        return client.post(addresses.job_action("pause", "nightly"), {"confirmed": uuid4().hex, **answer})

    @pytest.mark.parametrize(
        ("answer", "local"),
        [
            ({"ends": "at", "until": "2999-03-01T08:00"}, "2999-03-01 08:00"),
            ({"ends": "", "until": "2999-03-01T08:00:30"}, "2999-03-01 08:00"),
            ({"ends": "", "until": ""}, None),
            ({}, None),
        ],
    )
    def test_ends_on_the_clock_of_the_page(self, client: Client, answer: dict[str, str], local: str | None) -> None:
        make()
        with timezone.override("Europe/Berlin"):
            client.cookies[COOKIE] = "Europe/Berlin"
            assert self.ask(client, **answer).status_code == 302

            until = Job.objects.get().paused_until
            assert (f"{timezone.localtime(until):%Y-%m-%d %H:%M}" if until else None) == local

    def test_has_quick_choices(self) -> None:
        now = datetime(2027, 3, 27, 22, 30, tzinfo=UTC)
        with timezone.override("Europe/Berlin"):
            found = [until_of(RequestFactory().post("/", {"ends": ends}), now=now) for ends in ("hour", "tomorrow")]

        # In the night the clocks go forward.
        assert found == [datetime(2027, 3, 27, 23, 30, tzinfo=UTC), datetime(2027, 3, 28, 6, tzinfo=UTC)]

    @pytest.mark.parametrize(
        ("answer", "sentence"),
        [
            ({"ends": "at", "until": "2001-03-01T08:00"}, "1 Mar 2001 08:00 is in the past (now "),
            ({"ends": "at", "until": "soon"}, "“soon” is not a date and time"),
            ({"ends": "at", "until": "2027-02-30T08:00"}, "“2027-02-30T08:00” is not a date"),
            ({"ends": "at", "until": ""}, "Enter an end"),
            ({"ends": "never"}, "Enter an end"),
        ],
    )
    def test_asks_again_when_it_cannot_end_then_and_keeps_the_reason(
        self, client: Client, answer: dict[str, str], sentence: str
    ) -> None:
        make()

        asked = self.ask(client, reason="proxy banned", **answer)

        assert (asked.status_code, Job.objects.get().state) == (200, JobState.ACTIVE)
        assert sentence in asked.content.decode()
        assert 'value="proxy banned"' in asked.content.decode()

    def test_says_everywhere_who_until_when_why_and_what_it_costs(self, client: Client) -> None:
        keep_to_one(timedelta(days=1))
        make()
        until = timezone.now() + timedelta(hours=14, minutes=1)

        response = self.ask(client, until=f"{until:%Y-%m-%dT%H:%M:%S}", reason="proxy banned")

        told = f"until {clock(until, now=timezone.now())}"
        assert said(response) == [f"“nightly” is paused {told}. 14 scheduled times will be skipped."]
        for address in (LIST, addresses.job("nightly"), reverse("admin:scheduler_dashboard")):
            text = client.get(address).content.decode()
            assert f"Paused by anna {told}: “proxy banned”. 14 scheduled times will be skipped." in text

    def test_may_be_changed(self, client: Client) -> None:
        make()
        self.ask(client, until="2999-03-01T08:00")

        self.ask(client, until="2999-03-02T08:00")

        job = Job.objects.get()
        assert (job.paused_until and job.paused_until.day, job.state) == (2, JobState.PAUSED)


class TestManyJobs:
    def test_pauses_them_until_an_instant(self, client: Client) -> None:
        make("a")
        make("b")

        response = act(client, "pause", "a", "b", until="2999-03-01T08:00")

        assert said(response) == ["Paused 2 jobs until 1 Mar 2999 08:00."]
        assert {job.paused_until.year for job in Job.objects.all() if job.paused_until} == {2999}

    def test_adds_and_removes_tags(self, client: Client) -> None:
        make("a", tags=["old"])
        make("b")

        assert said(act(client, "add_tags", "a", "b", tags="shop, eu,shop")) == ["Tagged 2 jobs."]
        act(client, "remove_tags", "a", "b", tags="old\neu")

        assert [job.tags for job in Job.objects.all()] == [["shop"], ["shop"]]
        assert {job.updated_by for job in Job.objects.all()} == {"anna"}

    def test_asks_again_for_tags_when_none_was_named(self, client: Client) -> None:
        make("a")

        assert "Name a tag." in act(client, "add_tags", "a", tags=" , ").content.decode()

    def test_clones_them_paused(self, client: Client) -> None:
        make("a", name="Import", tags=["shop"], max_retries=4)

        assert said(act(client, "clone", "a")) == ["Created 1 paused copy."]

        copy = Job.objects.exclude(pk="a").get()
        assert (copy.name, copy.state, copy.tags, copy.max_retries) == ("Import (copy)", "paused", ["shop"], 4)
        assert (copy.source, copy.created_by) == (JobSource.ADMIN, "anna")

    def test_exports_them_without_their_secrets(self, client: Client) -> None:
        make("a", task="governed.use_secret", kwargs={"token": "hush-hush"})
        make("b")

        one = client.get(addresses.job_action("export", "a"))
        many = act(client, "export", "a", select_across="1")

        assert [job["id"] for job in many.json()["jobs"]] == ["a", "b"]
        assert one.json()["jobs"] == many.json()["jobs"][:1]
        assert one["Content-Disposition"].startswith('attachment; filename="jobs-')
        assert "hush" not in many.content.decode()
        assert "$sealed" not in many.content.decode()

    def test_goes_through_many_in_the_background_with_a_true_total(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bulk_change, "AT_ONCE", 2)
        for id in "abcde":
            make(id)
        jobs.pause(job=jobs.get(id="b"))

        answer = act(client, "pause", "a", select_across="1", reason="proxy banned")
        row = BulkAction.objects.get()
        while row.finished_at is None:
            row = bulk.step(id=row.pk, seconds=0)

        assert answer.url == bulk_admin.address(row.pk)
        assert (row.total, row.done, row.refused) == (5, 5, 0)
        assert Job.objects.filter(reason_text="proxy banned", state=JobState.PAUSED).count() == 4

    def test_stops_at_what_was_done_when_the_same_answer_comes_again(self, client: Client) -> None:
        make("a")
        act(client, "pause", "a", confirmed="once")
        jobs.resume(job=jobs.get(id="a"))

        again = act(client, "pause", "a", confirmed="once")

        assert (again.status_code, Job.objects.get().state) == (302, JobState.ACTIVE)

    def test_says_that_it_was_begun_when_nobody_knows_how_it_ended(self, client: Client) -> None:
        make("a")
        user = User.objects.get(username="anna")
        IdempotencyKey.objects.create(user=user, path=LIST, key="once", body_hash="", status=302, body={})

        again = act(client, "pause", "a", confirmed="once")

        assert said(again) == ["This was already submitted. Here is the result."]
        assert Job.objects.get().state == JobState.ACTIVE

    def test_names_the_refused_ones_and_why(self, client: Client) -> None:
        make("a", name="Import")
        Job.objects.update(task="gone.task", kwargs={"x": 1})

        (told,) = said(act(client, "clone", "a"))

        assert told.startswith("“Import”: No task is registered")


class TestCloning:
    def test_makes_a_paused_copy_under_a_name_and_opens_its_form(self, client: Client) -> None:
        make(name="Import", task="governed.use_secret", kwargs={"token": "hush-hush"})
        address = addresses.job_action("clone", "nightly")
        assert 'value="Import (copy)"' in client.post(address).content.decode()

        response = client.post(address, {"confirmed": uuid4().hex, "name": "Import, staging"})

        copy = Job.objects.exclude(pk="nightly").get()
        assert (copy.name, copy.state) == ("Import, staging", "paused")
        # Sealed anew: a sealed value belongs to one job.
        assert copy.kwargs != Job.objects.get(pk="nightly").kwargs
        assert masking.opened(copy).kwargs == {"token": "hush-hush"}
        assert response.url == addresses.job_form(copy.pk)


class TestTags:
    def test_are_edited_in_the_form_and_suggested_there(self, client: Client) -> None:
        make("other", tags=["eu"])
        make(tags=["shop"])

        shown = client.get(page("nightly")).content.decode()
        assert 'value="shop"' in shown
        assert '<option value="shop, eu">' in shown
        client.post(page("nightly"), filled_in(client, page("nightly"), tags="shop, nightly ,shop"))

        job = Job.objects.get(pk="nightly")
        assert (job.tags, job.version) == (["nightly", "shop"], 2)

    def test_are_refused_beside_the_field(self, client: Client) -> None:
        make()

        problems = errors(client.post(page("nightly"), filled_in(client, page("nightly"), tags="x" * 51)))

        assert "1 to 50 characters" in problems["tags"][0]

    def test_are_shown_on_the_page_and_lead_to_the_jobs_that_have_them(self, client: Client) -> None:
        make(tags=["shop & more"])

        assert (
            'href="/admin/scheduler/job/?tag=shop+%26+more">shop &amp; more<'
            in client.get(addresses.job("nightly")).content.decode()
        )
