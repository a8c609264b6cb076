"""The form of a job as a browser sends it: typed arguments, and a trigger put together from parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from scheduler import sealing
from scheduler.admin import addresses
from scheduler.admin.fields.trigger_parts import taken_apart
from scheduler.admin.jobs.job_form import JobForm
from scheduler.errors import StaleVersion
from scheduler.models import Job, Run
from scheduler.services import jobs
from scheduler.services.jobs import bulk
from tests.integration.admin.test_jobs import ADD, errors, make, page, said

PREVIEW = reverse("admin:scheduler_job_preview")
ARGUMENTS = reverse("admin:scheduler_job_arguments")


def send(client: Client, address: str = ADD, **changes: Any) -> Any:
    """Post what a browser would, with the trigger every hour unless it is said otherwise."""
    data = {
        "task": "scheduler.cleanup_jobs",
        "args": "[]",
        "kwargs-mode": "fields",
        "trigger-kind": "every",
        "trigger-number": "1",
        "trigger-unit": "hours",
        "trigger-timezone": "Europe/Berlin",
        "max_instances": "1",
        "priority": "0",
        "overlap": "skip",
        "max_retries": "0",
        "retry_delay": "30",
        "retry_backoff": "2",
        "retry_delay_cap": "3600",
        "retry_jitter": "0.1",
    }
    sent = {name.replace("__", "-"): value for name, value in changes.items()}
    return client.post(address, {name: value for name, value in (data | sent).items() if value is not None})


class TestTrigger:
    @pytest.mark.parametrize(
        ("parts", "stored"),
        [
            ({"trigger__number": "30", "trigger__unit": "minutes"}, {"type": "interval", "minutes": 30}),
            (
                {"trigger__number": "2", "trigger__unit": "weeks", "trigger__at": "02:30"},
                {"type": "calendar", "weeks": 2, "at": "02:30"},
            ),
            (
                {"trigger__kind": "days", "trigger__weekdays": ["mon", "fri"], "trigger__times": "14:30, 8:30"},
                {"type": "cron", "expression": "30 8,14 * * mon,fri"},
            ),
            (
                {"trigger__kind": "days", "trigger__months": ["jul", "jan"], "trigger__times": "6:00"},
                {"type": "cron", "expression": "0 6 * jan,jul *"},
            ),
            (
                {"trigger__kind": "days", "trigger__times": "23:05"},
                {"type": "cron", "expression": "5 23 * * *"},
            ),
            (
                {"trigger__kind": "cron", "trigger__expression": "0 3 * * 1", "trigger__jitter_seconds": "9"},
                {"type": "cron", "expression": "0 3 * * 1", "jitter_seconds": 9},
            ),
            (
                {"trigger__kind": "once", "trigger__run_at": "2091-03-01T09:00"},
                {"type": "date", "run_at": "2091-03-01T09:00:00"},
            ),
            ({"trigger__kind": "json", "trigger": '{"type": "interval", "days": 1}'}, {"type": "interval", "days": 1}),
        ],
    )
    def test_is_put_together_from_its_parts(
        self, client: Client, parts: dict[str, Any], stored: dict[str, Any]
    ) -> None:
        response = send(client, **parts)

        assert response.status_code == 302, errors(response)
        trigger = Job.objects.get().trigger
        assert {name: trigger.get(name) for name in stored} == stored
        assert trigger["timezone"] == ("UTC" if parts.get("trigger__kind") == "json" else "Europe/Berlin")

    @pytest.mark.parametrize(
        ("parts", "sentence"),
        [
            ({"trigger__number": "x"}, "“x” is not a number"),
            ({"trigger__unit": "moons"}, "Choose a unit"),
            ({"trigger__unit": "months"}, "Choose a time of day"),
            ({"trigger__kind": "days", "trigger__times": ""}, "Enter a time of day"),
            ({"trigger__kind": "days", "trigger__times": "25:00"}, "“25:00” is not a time of day"),
            ({"trigger__kind": "cron"}, "Enter a cron expression"),
            ({"trigger__kind": "cron", "trigger__expression": "0 25 * * *"}, "25"),
            ({"trigger__kind": "cron", "trigger__expression": "*" * 201}, "at most 200"),
            ({"trigger__kind": "once"}, "Enter a date and a time"),
            ({"trigger__kind": "once", "trigger__run_at": "2001-01-01T00:00"}, "is over"),
            ({"trigger__timezone": "CEST"}, "not a time zone"),
        ],
    )
    def test_says_beside_the_field_what_is_wrong_and_keeps_what_was_typed(
        self, client: Client, parts: dict[str, Any], sentence: str
    ) -> None:
        response = send(client, **parts)

        assert sentence in " ".join(errors(response)["trigger"])
        name, value = next((name, value) for name, value in parts.items() if name != "trigger__kind" or len(parts) == 1)
        assert str(value) in response.content.decode() or name == "trigger__unit"

    @pytest.mark.parametrize(
        "trigger",
        [
            {"type": "interval", "minutes": 30},
            {"type": "calendar", "months": 1, "at": "02:30", "timezone": "Europe/Berlin"},
            {"type": "calendar", "months": 1, "days": 2, "at": "02:30"},
            {"type": "cron", "expression": "*/15 9-17 * * mon-fri", "timezone": "Europe/Berlin"},
            {"type": "cron", "expression": "30 8,14 * jan,jul mon,fri", "timezone": "Europe/Berlin"},
            {"type": "cron", "expression": "0 3 * jul,jan *"},
            {"type": "cron", "fields": {"hour": "3"}},
            {"type": "date", "run_at": "2091-03-01T09:00:00+01:00"},
            {"type": "or", "triggers": [{"type": "interval", "days": 1}, {"type": "interval", "days": 2}]},
        ],
    )
    def test_stays_what_it_was_when_only_the_name_is_edited(self, client: Client, trigger: dict[str, Any]) -> None:
        before = make(trigger=trigger)
        form = client.get(page("nightly")).context["adminform"].form
        parts = {f"trigger-{name}": value for name, value in taken_apart(before.trigger).items() if name != "json"}

        response = send(
            client, page("nightly"), **parts, trigger=form["trigger"].value(), name="New", seen_version="1",
            executor="default", coalesce="on", misfire_grace_time="300", rerun_if_interrupted="on",
        )  # fmt: skip

        assert response.status_code == 302, errors(response)
        job = Job.objects.get()
        assert (job.name, job.trigger, job.next_run_time) == ("New", before.trigger, before.next_run_time)

    @pytest.mark.parametrize(
        ("expression", "kind"),
        [
            ("30 8,14 * jan,jul mon,fri", "days"),
            ("5 23 * * *", "days"),
            ("0 3 * jul,jan *", "cron"),
            ("0 03 * * *", "cron"),
            ("0 3 1 * *", "days"),
            ("*/5 3 * * *", "cron"),
            ("0 25 * * *", "cron"),
            ("0 3 * * mon#1", "days"),
            ("@daily", "cron"),
        ],
    )
    def test_is_days_and_times_again_if_that_is_all_it_says(self, expression: str, kind: str) -> None:
        typed = taken_apart({"type": "cron", "expression": expression})

        assert (typed["kind"], typed["expression"]) == (kind, expression)

    def test_names_the_parts_of_each_kind_where_no_script_hides_the_others(self, client: Client) -> None:
        parts = client.get(ADD).content.decode().split('data-kind="')[1:]

        named = {part.partition('"')[0]: "<noscript>" in part.partition("<input")[0] for part in parts}
        assert named == dict.fromkeys(("every", "days", "cron", "once", "json"), True)

    def test_shows_the_days_months_and_times_that_were_chosen(self, client: Client) -> None:
        make(trigger={"type": "cron", "expression": "30 8,14 * jan,jul mon,fri"})

        text = client.get(page("nightly")).content.decode()

        for chosen in ("jan", "jul", "mon", "fri"):
            assert f'value="{chosen}" checked' in text
        assert (text.count('name="trigger-months"'), 'value="08:30, 14:30"' in text) == (12, True)

    def test_is_the_same_cron_however_it_was_said(self, client: Client) -> None:
        before = make(trigger={"type": "cron", "expression": "0 3 * * *", "timezone": "Europe/Berlin"})

        send(
            client, page("nightly"), trigger__kind="cron", trigger__expression="0 3 * * *", name="New",
            executor="default", seen_version="1",
        )  # fmt: skip

        job = Job.objects.get()
        assert (job.name, job.trigger, job.next_run_time) == ("New", before.trigger, before.next_run_time)


class TestArguments:
    def test_become_fields_of_their_types(self, client: Client) -> None:
        text = client.post(ARGUMENTS, {"task": "scheduler.http_request", "want": "fields"}).content.decode()

        for part in ('name="kwargs-value-url"', 'name="kwargs-value-headers"', "(required)", "as Name: value"):
            assert part in text

    def test_are_stored_by_their_types_and_defaults_are_not(self, client: Client) -> None:
        response = send(client, kwargs__value__days="7")

        assert response.status_code == 302, errors(response)
        assert Job.objects.get().kwargs == {"days": 7}

    def test_say_beside_the_field_what_does_not_fit(self, client: Client) -> None:
        response = send(client, kwargs__value__days="many")

        assert "“many” is not a whole number" in " ".join(errors(response)["kwargs"])
        text = response.content.decode()
        assert ('value="many"' in text, text.count("“many” is not a whole number")) == (True, 2)

    def test_keep_a_secret_whose_field_was_left_empty(self, client: Client) -> None:
        before = make(task="governed.use_secret", kwargs={"token": "hush-hush"})
        same = {"task": before.task, "seen_version": "1", "name": "New", "executor": "default"}

        text = client.get(page("nightly")).content.decode()
        response = send(client, page("nightly"), **same, kwargs__value__token="")

        assert response.status_code == 302, errors(response)
        assert ('type="password"' in text, "hush" in text, "$sealed" in text) == (True, False, False)
        assert Job.objects.get().kwargs == before.kwargs

    def test_replace_a_secret_that_was_typed(self, client: Client) -> None:
        before = make(task="governed.use_secret", kwargs={"token": "hush-hush"})
        same = {"task": before.task, "seen_version": "1", "name": "New", "executor": "default"}

        send(client, page("nightly"), **same, kwargs__value__token="louder")

        assert sealing.unseal(Job.objects.get().kwargs["token"]) == "louder"

    def test_take_nothing_that_is_sealed_already(self, client: Client) -> None:
        sealed = json.dumps({"token": sealing.seal("somebody else's")})

        response = send(client, kwargs__mode="json", task="governed.use_secret", kwargs=sealed)

        assert "Sealed values cannot be sent" in " ".join(errors(response)["kwargs"])

    def test_never_store_a_mask_for_a_secret(self, client: Client) -> None:
        response = send(client, kwargs__mode="json", task="governed.use_secret", kwargs='{"token": "•••"}')

        assert "enter the secret again" in " ".join(errors(response)["kwargs"])

    def test_change_between_fields_and_json(self, client: Client) -> None:
        parts = {"task": "scheduler.cleanup_jobs", "kwargs-mode": "fields", "kwargs-value-days": "7"}

        as_json = client.post(ARGUMENTS, {**parts, "want": "json"}).content.decode()
        back = {"task": "scheduler.cleanup_jobs", "kwargs-mode": "json", "kwargs": '{"days": 7}', "want": "fields"}

        assert "&quot;days&quot;: 7" in as_json
        assert 'value="7"' in client.post(ARGUMENTS, back).content.decode()


class TestSaving:
    def test_leads_to_the_job(self, client: Client) -> None:
        assert send(client, new_id="mine").url == addresses.job("mine")

    def test_leaves_to_the_task_what_is_unknown(self, client: Client) -> None:
        response = send(client, rerun_if_interrupted="unknown", executor="")

        assert response.status_code == 302, errors(response)
        assert Job.objects.get().rerun_if_interrupted is True

    def test_and_running_leads_to_the_run(self, client: Client) -> None:
        response = send(client, _save_run="1")

        assert response.url == addresses.run(Run.objects.get().pk)

    def test_and_running_needs_both_rights(self, login: Callable[..., Client]) -> None:
        client = login("add_job", "view_job")

        assert "_save_run" not in client.get(ADD).content.decode()
        send(client, _save_run="1")
        assert (Job.objects.count(), Run.objects.count()) == (1, 0)

    def test_as_new_leaves_the_old_one_alone(self, client: Client) -> None:
        before = make()

        send(client, page("nightly"), _saveasnew="1", name="Copy")

        assert set(Job.objects.values_list("name", flat=True)) == {before.name, "Copy"}

    def test_after_being_told_overwrites_knowingly(self, client: Client) -> None:
        job = make()
        jobs.update(job=job, description="theirs", actor="bert")
        mine = {"name": "mine", "executor": "default"}

        told = send(client, page("nightly"), **mine, seen_version="1")
        again = told.context["adminform"].form["seen_version"].value()
        saved = send(client, page("nightly"), **mine, seen_version=again)

        assert (told.status_code, saved.status_code) == (200, 302)
        assert Job.objects.get().name == "mine"

    def test_tells_of_a_change_made_while_it_was_checking(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = make()
        check, checks = JobForm._check_version, []

        def overtaken(form: JobForm, cleaned: dict[str, Any]) -> None:
            if checks:
                jobs.update(job=job, description="theirs", actor="bert")
            check(form, cleaned)
            checks.append(form)

        def refuse(**changes: Any) -> Job:
            raise StaleVersion

        monkeypatch.setattr(JobForm, "_check_version", overtaken)
        monkeypatch.setattr(bulk, "update", refuse)
        response = send(client, page("nightly"), name="mine", executor="default", seen_version="1")

        assert "bert changed this" in " ".join(errors(response)["__all__"])
        assert (response.context["adminform"].form["name"].value(), len(checks)) == ("mine", 2)

    def test_keeps_a_secret_that_was_not_touched_while_another_argument_changes(self, client: Client) -> None:
        before = make(task="governed.use_secret", kwargs={"token": "hush-hush"})
        same = {"task": before.task, "seen_version": "1", "name": "New", "executor": "default"}

        response = send(client, page("nightly"), **same, kwargs__mode="json", kwargs='{"token": "•••"}')

        assert response.status_code == 302, errors(response)
        assert Job.objects.get().kwargs == before.kwargs

    def test_warns_of_what_is_allowed_and_looks_like_a_mistake(self, client: Client) -> None:
        response = send(client, trigger__unit="seconds", timeout="60")

        assert "so some may be skipped" in " ".join(said(response))


class TestTask:
    def test_is_offered_with_what_it_says_about_itself(self, client: Client) -> None:
        text = client.get(ADD).content.decode()

        assert 'data-name="scheduler.cleanup_jobs"' in text
        assert ">scheduler.http_request: " in text

    def test_that_is_gone_stays_chosen(self, client: Client) -> None:
        make()
        Job.objects.update(task="gone.away")

        text = client.get(page("nightly")).content.decode()

        assert '<option value="gone.away" selected>(cannot import) gone.away</option>' in text
