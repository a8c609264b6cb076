"""Calendars in the admin: pages, files, picks in the form of a job, and the preview."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from scheduler.models import Calendar, Job
from scheduler.services import calendars, jobs

pytestmark = pytest.mark.django_db

LIST = "/admin/scheduler/calendar/"
ADD = "/admin/scheduler/calendar/add/"
ICS = (
    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20201003\r\nRRULE:FREQ=YEARLY\r\n"
    "SUMMARY:Tag der Deutschen Einheit\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def text(response: Any) -> str:
    return str(response.content.decode())


def change(calendar: Calendar) -> str:
    return reverse("admin:scheduler_calendar_change", args=[calendar.pk])


@pytest.fixture
def weekend() -> Calendar:
    return calendars.create(name="weekend", title="Weekend", rules=["sat-sun Free"])


@pytest.fixture
def job(weekend: Calendar) -> Job:
    return jobs.create(
        id="daily",
        name="Daily report",
        task="sample.square",
        kwargs={"number": 2},
        trigger={"type": "cron", "expression": "0 9 * * *", "timezone": "UTC", "not_on": ["weekend"]},
    )


class TestPages:
    def test_list_calendars(self, client: Client, weekend: Calendar) -> None:
        assert "weekend" in text(client.get(LIST))

    def test_create_a_calendar_from_rules_and_a_file(self, client: Client) -> None:
        file = SimpleUploadedFile("holidays.ics", ICS.encode())

        answer = client.post(ADD, {"name": "germany", "rules": "sat-sun Weekend\n", "file": file, "tags": ""})

        made = Calendar.objects.get()
        assert answer["Location"] == change(made)
        assert made.rules == ["sat-sun Weekend", "10-03 Tag der Deutschen Einheit"]
        assert "Tag der Deutschen Einheit" in text(client.get(change(made)))

    def test_say_what_is_wrong_beside_the_field(self, client: Client) -> None:
        page = text(client.post(ADD, {"name": "x", "rules": "someday"}))

        assert 'id="id_rules_error"' in page
        assert "someday" in page
        page = text(client.post(ADD, {"name": "x", "rules": "sat", "file": SimpleUploadedFile("x.ics", b"x")}))
        assert 'id="id_file_error"' in page
        assert not Calendar.objects.exists()

    def test_show_entries_jobs_and_history(self, client: Client, weekend: Calendar, job: Job) -> None:
        page = text(client.get(change(weekend)))

        assert "Free" in page
        assert "Daily report" in page
        assert "Delete…" not in page

    def test_change_a_calendar(self, client: Client, weekend: Calendar, job: Job) -> None:
        data = {"name": "weekend", "title": "Weekend", "rules": "fri-sun Free", "version": "1", "during": "skip"}

        assert client.post(change(weekend), data).status_code == 302
        assert "version 2" in text(client.post(change(weekend), data))

        weekend.refresh_from_db()
        job.refresh_from_db()
        assert weekend.rules == ["fri-sun Free"]
        assert job.trigger["calendars"] == {"weekend": weekend.digest}

    def test_delete_a_calendar_without_jobs(self, client: Client, weekend: Calendar) -> None:
        address = reverse("admin:scheduler_calendar_delete", args=[weekend.pk])

        client.post(address, {"post": "yes"})

        assert not Calendar.objects.exists()
        assert calendars.changes_of(name="weekend")[0].action == "deleted"

    def test_refuse_to_delete_one_in_use(self, client: Client, weekend: Calendar, job: Job) -> None:
        address = reverse("admin:scheduler_calendar_delete", args=[weekend.pk])

        assert client.post(address, {"post": "yes"}).status_code == 403
        assert Calendar.objects.exists()


class TestTheFormOfAJob:
    def test_offers_and_keeps_calendars(self, client: Client, weekend: Calendar, job: Job) -> None:
        page = text(client.get(reverse("admin:scheduler_job_change", args=["daily"])))

        assert '<option value="weekend" selected>weekend – Weekend</option>' in page

    def test_shows_what_is_left_out_struck_through(self, client: Client, weekend: Calendar) -> None:
        data = {
            "trigger-kind": "cron",
            "trigger-expression": "0 9 * * *",
            "trigger-timezone": "UTC",
            "trigger-not_on": ["weekend"],
            "trigger-otherwise": "next_day",
        }

        page = text(client.post(reverse("admin:scheduler_job_preview"), data))

        assert "<s>" in page
        assert "weekend: Free; runs on" in page
        assert "not on weekend" in page

    def test_names_a_calendar_that_is_gone(self, client: Client, weekend: Calendar) -> None:
        data = {"trigger-kind": "cron", "trigger-expression": "0 9 * * *", "trigger-not_on": ["wekend"]}

        assert "Did you mean “weekend”" in text(client.post(reverse("admin:scheduler_job_preview"), data))
