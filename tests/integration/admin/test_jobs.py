from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from scheduler.admin import addresses
from scheduler.core.states import JobSource, JobState
from scheduler.models import Job, Run
from scheduler.services import jobs
from tests.waiting import keep_to_one

LIST = reverse("admin:scheduler_job_changelist")
ADD = reverse("admin:scheduler_job_add")


def make(id: str = "nightly", **values: Any) -> Job:
    return jobs.create(
        id=id, **{"task": "scheduler.cleanup_jobs", "trigger": {"type": "interval", "hours": 1}, **values}
    )


def page(job_id: str) -> str:
    return reverse("admin:scheduler_job_change", args=[job_id])


def said(response: Any) -> list[str]:
    """What the next page would tell the person."""
    return [str(message) for message in get_messages(response.wsgi_request)]


def filled_in(client: Client, address: str, **changes: Any) -> dict[str, Any]:
    """What a browser would send back from a form, with some fields changed."""
    form = client.get(address).context["adminform"].form
    data = {name: form[name].value() for name in form.fields}
    data = {name: value for name, value in data.items() if value is not None and value is not False}
    data |= changes
    return {name: value for name, value in data.items() if value is not None}


def act(client: Client, action: str, *ids: str, **answer: str) -> Any:
    """Choose an action in the list and say yes."""
    return client.post(LIST, {"action": action, "_selected_action": ids, "confirmed": uuid4().hex, **answer})


def errors(response: Any) -> dict[str, list[str]]:
    assert response.status_code == 200, said(response)
    return dict(response.context["adminform"].form.errors)


class TestAddingAJob:
    def test_goes_through_the_services(self, client: Client) -> None:
        data = filled_in(
            client,
            ADD,
            new_id="weekly",
            task="scheduler.cleanup_jobs",
            kwargs='{"days": 7}',
            trigger='{"type": "cron", "expression": "0 3 * * 1", "timezone": "Europe/Berlin"}',
        )

        response = client.post(ADD, data)

        assert response.status_code == 302, errors(response)
        job = Job.objects.get()
        assert (job.pk, job.name, job.kwargs, job.state) == ("weekly", "weekly", {"days": 7}, JobState.ACTIVE)
        assert (job.source, job.created_by, job.needs_inspection) == (JobSource.ADMIN, "anna", False)
        assert job.next_run_time is not None
        assert "weekly" in said(response)[0]

    def test_takes_from_task_and_settings_what_is_not_said(self, client: Client) -> None:
        client.post(ADD, filled_in(client, ADD, task="scheduler.cleanup_jobs", trigger='{"type":"interval","days":1}'))

        job = Job.objects.get()
        assert (job.name, job.executor, job.rerun_if_interrupted) == ("scheduler.cleanup_jobs", "default", True)
        assert (job.misfire_grace_time, job.coalesce, job.max_instances) == (300, True, 1)

    @pytest.mark.parametrize(
        ("field", "value", "sentence"),
        [
            ("trigger", '{"type": "cron", "expression": "99 * * * *"}', "99"),
            ("trigger", '{"type": "date", "run_at": "2001-01-01T00:00:00Z"}', "is over"),
            ("trigger", '{"type": "cron", "expression": "0 0 30 2 *"}', "never"),
            ("trigger", "{", "valid JSON"),
            ("trigger", "[1]", ""),
            ("trigger", "", "required"),
            ("kwargs", '{"dayz": 1}', "Did you mean “days”?"),
            ("kwargs", '{"days": 0}', "days"),
            ("kwargs", "[]7", "valid JSON"),
            ("kwargs", "[1]", "object"),
            ("kwargs", '{"days": "\\u0000"}', "cannot be stored"),
            ("kwargs", '{"days": "\\ud800"}', "cannot be stored"),
            ("kwargs", '{"days": NaN}', "NaN"),
            ("kwargs", '{"days": ' + "9" * 5000 + "}", "valid JSON"),
            ("kwargs", '{"days": ' + "[" * 200 + "]" * 200 + "}", "nested"),
            ("kwargs", "[" * 100_000, "valid JSON"),
            ("args", "{}7", "valid JSON"),
            ("args", '{"a": 1}', "list"),
            ("args", "[1]", ""),
            ("task", "os.system", "Unknown task “os.system”."),
            ("new_id", "taken", "exists already"),
            ("new_id", "a\tb", "cannot be printed"),
            ("name", "a\u200bb", "cannot be printed"),
            ("max_instances", "0", "a whole number from 1 to 10,000"),
            ("priority", "1001", "a whole number from -1,000 to 1,000"),
            ("misfire_grace_time", "0", "1 or more"),
            ("retry_jitter", "2", "a number from 0 to 1"),
            ("timeout", "nan", "is not a duration"),
            ("timeout", "0", "a number from 0.1"),
            ("overlap", "burst", "valid choice"),
            ("executor", "x" * 65, "at most 64 characters"),
        ],
    )
    def test_explains_beside_the_field_what_cannot_be_saved(
        self, client: Client, field: str, value: str, sentence: str
    ) -> None:
        make("taken")
        good = {"task": "scheduler.cleanup_jobs", "trigger": '{"type": "interval", "hours": 1}'}

        problems = errors(client.post(ADD, filled_in(client, ADD, **{**good, field: value})))

        assert list(problems) == [field]
        assert sentence in " ".join(next(iter(problems.values())))
        assert Job.objects.count() == 1


class TestEditingAJob:
    def test_changes_only_what_was_edited_and_leaves_when_it_fires(self, client: Client) -> None:
        before = make()

        response = client.post(page("nightly"), filled_in(client, page("nightly"), description="Cleans.", priority="5"))

        assert response.status_code == 302, errors(response)
        job = Job.objects.get()
        assert (job.description, job.priority, job.updated_by, job.version) == ("Cleans.", 5, "anna", 2)
        assert (job.next_run_time, job.trigger) == (before.next_run_time, before.trigger)

    def test_reschedules_by_another_trigger(self, client: Client) -> None:
        before = make()

        client.post(page("nightly"), filled_in(client, page("nightly"), trigger='{"type": "interval", "hours": 9}'))

        job = Job.objects.get()
        assert job.trigger["hours"] == 9
        assert job.next_run_time > before.next_run_time

    def test_refuses_to_overwrite_what_somebody_else_changed(self, client: Client) -> None:
        keep_to_one(timedelta(days=1))
        job = make()
        data = filled_in(client, page("nightly"), description="mine")
        jobs.update(job=job, description="theirs", actor="bert")

        response = client.post(page("nightly"), data)

        told = errors(response)["__all__"][0]
        assert told.startswith("bert changed this job today ")
        assert "differs in: Description." in told
        assert response.context["adminform"].form["description"].value() == "mine"
        assert Job.objects.get().description == "theirs"

    def test_lets_a_finished_or_paused_job_be_described(self, client: Client) -> None:
        make("once", trigger={"type": "date", "run_at": "2031-01-01T00:00:00Z"}, paused=True)
        Job.objects.update(trigger={**Job.objects.get().trigger, "run_at": "2001-01-01T00:00:00+00:00"})

        response = client.post(page("once"), filled_in(client, page("once"), description="over"))

        assert response.status_code == 302, errors(response)
        assert (Job.objects.get().description, Job.objects.get().state) == ("over", JobState.PAUSED)

    def test_asks_for_another_task_when_the_one_it_has_is_gone(self, client: Client) -> None:
        make()
        Job.objects.update(task="gone.task", state=JobState.BROKEN, reason_text="No task is registered.")
        data = filled_in(client, page("nightly"))

        assert "task" in errors(client.post(page("nightly"), data))
        assert client.post(page("nightly"), {**data, "task": "scheduler.cleanup_jobs"}).status_code == 302
        assert Job.objects.get().state == JobState.ACTIVE

    def test_says_that_the_job_was_deleted_meanwhile(self, client: Client) -> None:
        job = make()
        data = filled_in(client, page("nightly"))
        jobs.remove(job=job)

        response = client.post(page("nightly"), data)

        assert response.url == addresses.changes(job="nightly"), "from there it can be restored"
        assert "deleted" in said(response)[0]


class TestDeletingAJob:
    def test_keeps_its_history(self, client: Client) -> None:
        run = jobs.run_now(job=make())

        shown = client.get(reverse("admin:scheduler_job_delete", args=["nightly"]))
        response = client.post(reverse("admin:scheduler_job_delete", args=["nightly"]), {"post": "yes"})

        assert "“nightly” (nightly) will be deleted." in shown.content.decode()
        assert (response.status_code, Job.objects.count()) == (302, 0)
        run.refresh_from_db()
        assert (run.job_id, run.job_key) == (None, "nightly")

    def test_works_for_many(self, client: Client) -> None:
        make("a")
        make("b")

        assert said(act(client, "delete_selected", "a", "b")) == ["Deleted 2 jobs."]

        assert not DjangoJob.objects.exists()


class TestPermissions:
    def test_view_only_shows_and_changes_nothing(self, login: Callable[..., Client]) -> None:
        make()
        client = login("view_job")

        shown = client.get(page("nightly"), follow=True)
        assert (client.get(LIST).status_code, shown.status_code) == (200, 200)
        assert "every hour" in shown.content.decode()
        assert client.get(ADD).status_code == 403
        assert client.post(page("nightly"), {"description": "x"}).status_code == 403
        assert client.post(reverse("admin:scheduler_job_delete", args=["nightly"]), {"post": "yes"}).status_code == 403
        for action in ("pause", "resume", "run_now", "add_tags", "remove_tags", "clone", "delete_selected"):
            act(client, action, "nightly", tags="a")
        job = Job.objects.get()
        assert (job.state, job.version, job.tags, Run.objects.count()) == (JobState.ACTIVE, 1, [], 0)

    @pytest.mark.parametrize(
        ("permission", "actions"),
        [
            ("pause_job", {"pause", "resume"}),
            ("run_job", {"run_now"}),
            ("change_job", {"add_tags", "remove_tags", "edit_many"}),
            ("add_job", {"clone"}),
            ("delete_job", {"delete_selected"}),
            ("view_run", set()),
        ],
    )
    def test_offer_what_was_allowed(self, login: Callable[..., Client], permission: str, actions: set[str]) -> None:
        make()

        form = login("view_job", permission).get(LIST).context["action_form"]

        offered = {name for name, _ in form.fields["action"].choices if name}
        assert offered == actions | {"export"}


class TestTheHistoryButton:
    def test_leads_to_what_is_known_of_changes_by_all_means(self, client: Client) -> None:
        job = jobs.create(
            id="a job/with “signs”", task="scheduler.cleanup_jobs", trigger={"type": "interval", "hours": 1}
        )

        answer = client.get(reverse("admin:scheduler_job_history", args=[quote(job.pk)]))

        assert answer.headers["Location"] == addresses.changes(job=job.pk)


class TestStockPages:
    @pytest.mark.parametrize(("model", "page"), [(DjangoJob, "job"), (DjangoJobExecution, "run")])
    def test_lead_to_ours(self, client: Client, model: type[Any], page: str) -> None:
        answer = client.get(f"/admin/django_apscheduler/{model._meta.model_name}/")

        assert not admin.site.is_registered(model)
        assert answer.headers["Location"] == reverse(f"admin:scheduler_{page}_changelist")

    @pytest.mark.parametrize("page", ["/admin/", "/admin/scheduler/"])
    def test_are_named_where_people_look_for_them(self, client: Client, page: str) -> None:
        assert "“Django jobs” and “Django job executions”" in client.get(page).content.decode()
