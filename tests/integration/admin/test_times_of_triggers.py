"""Every way in keeps a local time as it is meant, and has the project's zone where none is named."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from scheduler.engine.scheduler import DurableScheduler
from scheduler.models import Job
from scheduler.services import jobs
from scheduler.services.jobs import transfer
from tests.contract import tasks
from tests.integration.admin.test_job_form import send
from tests.integration.api.conftest import Caller

pytestmark = pytest.mark.django_db

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
MONDAYS = {"type": "calendar", "weeks": 2, "at": "09:30", "timezone": BERLIN, "start_at": "2090-11-27"}
STORED = {**MONDAYS, "start_at": "2090-11-27T00:00:00"}
OLD = {**MONDAYS, "start_at": "2090-11-27T00:00:00+01:00"}
"""As releases before wrote it."""


def make(trigger: dict[str, Any] = MONDAYS) -> Job:
    return jobs.create(id="bi", task="contract.first", trigger=trigger)


def trigger_of(id: str = "bi") -> dict[str, Any]:
    found: dict[str, Any] = Job.objects.get(pk=id).trigger
    return found


@pytest.fixture
def anna(client: Client) -> Caller:
    caller = Caller()
    caller.cookies = client.cookies
    return caller


@pytest.fixture(params=["as today", "as a release before wrote it"])
def stored(request: pytest.FixtureRequest) -> Job:
    job = make()
    if request.param != "as today":
        Job.objects.filter(pk="bi").update(trigger=OLD)
    return jobs.get(id=job.pk)


class TestAnotherZoneAlone:
    def test_through_the_form(self, stored: Job, client: Client) -> None:
        page = client.get(reverse("admin:scheduler_job_change", args=["bi"]))
        typed = (
            page.context["adminform"]
            .form["trigger"]
            .field.widget.get_context("trigger", page.context["adminform"].form["trigger"].value(), {})["widget"][
                "typed"
            ]
        )
        parts = {f"trigger-{part}": value for part, value in typed.items() if part not in ("json", "timezone")}

        answer = send(
            client,
            reverse("admin:scheduler_job_change", args=["bi"]),
            task="contract.first",
            name="bi",
            executor="default",
            seen_version=str(stored.version),
            **{**parts, "trigger-timezone": NEW_YORK},
        )

        assert answer.status_code == 302, dict(answer.context["adminform"].form.errors)
        assert trigger_of() == {**STORED, "timezone": NEW_YORK}

    def test_over_the_api(self, stored: Job, anna: Caller) -> None:
        read = anna.get("jobs/bi").json()["trigger"]

        answer = anna.send("patch", "jobs/bi", {"trigger": {**read, "timezone": NEW_YORK}})

        assert read == STORED
        assert answer.status_code == 200
        assert "on Monday" in answer.json()["when"]
        assert trigger_of() == {**STORED, "timezone": NEW_YORK}

    def test_by_export_and_import(self, stored: Job) -> None:
        document = transfer.export()
        document["jobs"][0]["trigger"]["timezone"] = NEW_YORK

        (imported,) = transfer.import_jobs(document=document, actor="anna", update=True)

        assert (imported.what, imported.text) == ("updated", "")
        assert trigger_of() == {**STORED, "timezone": NEW_YORK}

    def test_is_not_a_difference_of_spelling(self, stored: Job) -> None:
        (imported,) = transfer.import_jobs(
            document={
                "format": transfer.FORMAT,
                "version": 1,
                "jobs": [{"id": "bi", "task": "contract.first", "trigger": OLD}],
            },
            actor="anna",
            update=True,
        )

        assert imported.what == "unchanged"
        assert jobs.update(job=stored, trigger=STORED).next_run_time == stored.next_run_time

    def test_leaves_the_words_of_the_history_alone(self, stored: Job, anna: Caller) -> None:
        jobs.pause(job=stored)
        jobs.resume(job=stored)

        newest = anna.get("jobs/bi/changes").json()["results"][0]
        assert newest["action"] == "resumed"
        assert "trigger" not in [change["name"] for change in newest["changes"]]


class TestWithoutAZone:
    @pytest.fixture(autouse=True)
    def project(self, settings: Any) -> None:
        settings.TIME_ZONE = NEW_YORK

    def test_a_service_has_the_projects(self) -> None:
        job = make({"type": "cron", "expression": "0 9 * * *"})

        assert job.trigger["timezone"] == NEW_YORK
        assert job.next_run_time is not None
        assert job.next_run_time.hour in (13, 14)

    def test_the_api_has_the_projects(self, anna: Caller) -> None:
        trigger = {"type": "cron", "expression": "0 9 * * *"}

        created = anna.send("post", "jobs", {"id": "bi", "task": "contract.first", "trigger": trigger})
        described = anna.send("post", "triggers/describe", {"trigger": trigger})

        assert created.json()["trigger"]["timezone"] == described.json()["trigger"]["timezone"] == NEW_YORK

    def test_the_form_has_the_projects(self, client: Client) -> None:
        send(client, id="bi", task="contract.first", trigger__timezone="")
        shown = client.get(reverse("admin:scheduler_job_add")).content.decode()

        assert Job.objects.get().trigger["timezone"] == NEW_YORK
        assert f'value="{NEW_YORK}"' in shown

    def test_an_import_has_the_projects(self) -> None:
        entry = {"id": "bi", "task": "contract.first", "trigger": {"type": "cron", "expression": "0 9 * * *"}}

        transfer.import_jobs(document={"format": transfer.FORMAT, "version": 1, "jobs": [entry]}, actor="anna")

        assert trigger_of()["timezone"] == NEW_YORK

    @pytest.mark.django_db(transaction=True)
    def test_apscheduler_has_the_projects(self) -> None:
        scheduler = DurableScheduler()
        scheduler.start(paused=True)
        try:
            scheduler.add_job(tasks.first, "cron", hour=9, id="bi")
        finally:
            scheduler.shutdown()

        assert trigger_of()["timezone"] == NEW_YORK

    def test_a_job_that_exists_keeps_its_own(self, settings: Any) -> None:
        job = make({"type": "cron", "expression": "0 9 * * *"})
        settings.TIME_ZONE = BERLIN

        jobs.update(job=job, priority=5)

        assert trigger_of()["timezone"] == NEW_YORK

    def test_a_naive_time_is_meant_in_the_projects(self) -> None:
        nine = datetime(2090, 3, 1, 9)  # noqa: DTZ001 - that is what is tried
        once = make({"type": "date", "run_at": nine})
        paused = jobs.pause(job=once, until=datetime(2090, 2, 1, 9))  # noqa: DTZ001

        assert once.trigger == {"type": "date", "run_at": "2090-03-01T09:00:00", "timezone": NEW_YORK}
        assert once.next_run_time is not None
        assert once.next_run_time.isoformat() == "2090-03-01T14:00:00+00:00"
        assert paused.paused_until is not None
        assert paused.paused_until.isoformat() == "2090-02-01T14:00:00+00:00"
