"""``adopt_beat`` on the tables of django-celery-beat 2.9, as its own migrations and models made them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from scheduler.core.states import JobState
from scheduler.models import Job

pytestmark = pytest.mark.django_db

DUMP = Path(__file__).with_name("celery_beat.sql")


@pytest.fixture
def beat(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(DUMP.read_text())


def adopt(*options: str) -> tuple[dict[str, str], int]:
    out = io.StringIO()
    code = 0
    try:
        call_command("adopt_beat", *options, stdout=out)
    except CommandError as error:
        code = error.returncode
        out.write(str(error))
    lines = [line[2:].partition(": ") for line in out.getvalue().splitlines() if line[:2] in ("+ ", "! ", "= ")]
    return {name: text for name, _, text in lines}, code


class TestAdoption:
    def test_takes_what_has_a_counterpart(self, beat: None) -> None:
        told, code = adopt()

        assert code == 1
        assert set(Job.objects.values_list("pk", flat=True)) == {
            "every ten seconds",
            "every two days",
            "weekdays at 7:30",
            "friday the 13th",
            "sundays by number and step",
            "once",
            "one off on an interval",
            "disabled",
            "expires after a minute",
            "ends",
            "queue",
            "positional",
        }
        assert "in the queue “mail”" in told["queue"]
        assert Job.objects.get(pk="queue").queue == "mail"

    def test_keeps_what_each_says(self, beat: None) -> None:
        adopt()
        job = {job.pk: job for job in Job.objects.all()}

        assert job["every two days"].kwargs == {"number": 3}
        assert job["every two days"].description == "Squares."
        assert job["positional"].args == [4]
        assert job["disabled"].state == JobState.PAUSED
        assert job["expires after a minute"].misfire_grace_time == 60
        assert job["once"].trigger["type"] == "date"
        assert job["one off on an interval"].trigger["type"] == "date"
        assert job["weekdays at 7:30"].trigger["fields"]["day_of_week"] == "mon,tue,wed,thu,fri"
        assert job["weekdays at 7:30"].trigger["timezone"] == "Europe/Berlin"
        assert job["ends"].trigger["end_at"].startswith("2027-06-01")
        due = job["every ten seconds"].next_run_time
        assert due is not None
        assert due.second % 10 == 3

    def test_leaves_the_rest_with_a_reason(self, beat: None) -> None:
        told, _ = adopt()

        assert "follows the sun (sunset)" in told["sunset"]
        assert "nowhere.to_be_found" in told["unknown task"]
        assert "shortest interval is 1 s" in told["microseconds"]
        assert "colour" in told["bad arguments"]

    def test_a_dry_run_says_the_same_and_changes_nothing(self, beat: None) -> None:
        told, code = adopt("--dry-run")

        assert (len(told), code) == (16, 1)
        assert not Job.objects.exists()
        assert adopt()[0] == told

    def test_a_second_one_takes_nothing_twice(self, beat: None) -> None:
        adopt()

        told, _ = adopt()

        assert told["once"] == "A job with this id exists already."

    def test_a_repetition_is_no_failure_once_all_became_jobs(self, beat: None) -> None:
        adopt()
        taken = list(Job.objects.values_list("pk", flat=True))
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_celery_beat_periodictask WHERE NOT name = ANY(%s)", [taken])

        told, code = adopt()

        assert (code, set(told)) == (0, set(taken))
        assert Job.objects.count() == 12

    def test_without_tables_there_is_a_sentence(self, db: None) -> None:
        with pytest.raises(CommandError, match="no tables of django-celery-beat"):
            call_command("adopt_beat")
