"""Statements about jobs, and what they say when they do not hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scheduler import schedules
from scheduler.services import jobs
from scheduler.testing import advance_to, apply_schedules, assert_scheduled
from tests.sample_app import tasks

pytestmark = pytest.mark.django_db

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
HOURLY = {"type": "interval", "hours": 1}


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "_registered", [])
    schedules.register(tasks.nothing, "0 8 * * mon", key="weekly", timezone="UTC")


class TestAssertScheduled:
    def test_returns_the_job(self) -> None:
        advance_to(NOON)
        created = jobs.create(id="job", task=tasks.nothing, trigger=HOURLY)

        assert assert_scheduled("job", at=NOON + timedelta(hours=1), task=tasks.nothing) == created

    def test_lists_the_jobs_that_exist(self) -> None:
        advance_to(NOON)
        jobs.create(id="other", task=tasks.nothing, trigger=HOURLY)
        jobs.pause(job=jobs.create(id="paused", task=tasks.nothing, trigger=HOURLY))

        with pytest.raises(AssertionError) as raised:
            assert_scheduled("job")

        assert str(raised.value).splitlines() == [
            "There is no job “job”. Jobs:",
            "  other: sample.nothing, due at 2027-03-01T13:00:00+00:00",
            "  paused: sample.nothing, paused",
        ]

    def test_says_that_there_are_none(self) -> None:
        with pytest.raises(AssertionError, match="The table of jobs is empty"):
            assert_scheduled("job")

    def test_says_why_a_job_is_not_due(self) -> None:
        jobs.pause(job=jobs.create(id="job", task=tasks.nothing, trigger=HOURLY), reason="The printer is broken.")

        with pytest.raises(AssertionError, match=r"It is paused: The printer is broken\."):
            assert_scheduled("job")

    def test_says_when_it_is_due_instead(self) -> None:
        advance_to(NOON)
        jobs.create(id="job", task=tasks.nothing, trigger=HOURLY)

        with pytest.raises(AssertionError, match=r"due at 2027-03-01T13:00:00\+00:00, and not 2027-03-01T12:00"):
            assert_scheduled("job", at=NOON)

    def test_says_what_it_runs_instead(self) -> None:
        jobs.create(id="job", task=tasks.nothing, trigger=HOURLY)

        with pytest.raises(AssertionError, match=r"runs “sample\.nothing”, and not “sample\.square”"):
            assert_scheduled("job", task=tasks.square)


class TestDeclaredJobs:
    def test_are_created(self, declared: None) -> None:
        apply_schedules()

        assert assert_scheduled("weekly").task == "sample.nothing"

    def test_are_hinted_at_while_they_are_not_created(self, declared: None) -> None:
        with pytest.raises(AssertionError, match=r"call apply_schedules\(\) first"):
            assert_scheduled("weekly")

    def test_that_are_rejected_are_named_with_the_reason(self, declared: None) -> None:
        schedules.register("no.such.task", "0 8 * * *", key="wrong")

        with pytest.raises(AssertionError, match=r"(?s)rejected.*no\.such\.task"):
            apply_schedules()
