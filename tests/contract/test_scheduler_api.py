"""APScheduler's calls on a scheduler whose job store is ours: stock's ``BackgroundScheduler`` and our own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.events import (
    EVENT_ALL_JOBS_REMOVED,
    EVENT_JOB_ADDED,
    EVENT_JOB_MODIFIED,
    EVENT_JOB_REMOVED,
)
from apscheduler.jobstores.base import ConflictingIdError, JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import BaseScheduler
from django.db import connection

from scheduler import conf
from scheduler.core import triggers
from scheduler.core.states import JobState
from scheduler.engine.scheduler import DurableScheduler
from scheduler.errors import InvalidTrigger, UnknownTask
from scheduler.models import Job, Run
from scheduler.services import jobs
from scheduler.store.jobstore import PostgresJobStore
from tests.contract import tasks

BERLIN = ZoneInfo("Europe/Berlin")

pytestmark = pytest.mark.django_db


# A node has sessions of its own, which see only what was committed.
@pytest.fixture(params=["stock", pytest.param("durable", marks=pytest.mark.django_db(transaction=True))])
def scheduler(request: pytest.FixtureRequest) -> Iterator[BaseScheduler]:
    made: BaseScheduler = (
        BackgroundScheduler(jobstores={"default": PostgresJobStore()}, timezone=BERLIN)
        if request.param == "stock"
        else DurableScheduler(timezone=BERLIN, settings=replace(conf.get(), threads=1, processes=0))
    )
    yield made
    if made.running:
        made.shutdown()


@pytest.fixture
def running(scheduler: BaseScheduler) -> BaseScheduler:
    scheduler.start(paused=True)
    return scheduler


@pytest.fixture
def events(scheduler: BaseScheduler) -> list[Any]:
    heard: list[Any] = []
    mask = EVENT_JOB_ADDED | EVENT_JOB_MODIFIED | EVENT_JOB_REMOVED | EVENT_ALL_JOBS_REMOVED
    scheduler.add_listener(heard.append, mask)
    return heard


@pytest.fixture
def hourly(running: BaseScheduler) -> Callable[..., Any]:
    return lambda **options: running.add_job(tasks.first, "interval", hours=1, id="hourly", **options)


def stored(id: str) -> Job:
    return Job.objects.get(pk=id)


def first_since(before: datetime, job: Job) -> set[datetime | None]:
    """Return the first fire time of a job that was scheduled since then: one may have come meanwhile."""
    return {triggers.first_fire_time(job.trigger, now=now) for now in (before, datetime.now(UTC))}


class TestAddJob:
    def test_works_as_the_documentation_shows_it(self, running: BaseScheduler) -> None:
        before = datetime.now(UTC)

        for _ in range(2):
            running.add_job(
                func="tests.contract.tasks:first",
                trigger="interval",
                minutes=30,
                id="unique_job_id",
                replace_existing=True,
            )

        job = stored("unique_job_id")
        assert (job.task, job.trigger["minutes"], job.state) == ("contract.first", 30, JobState.ACTIVE)
        assert timedelta(minutes=29) < job.next_run_time - before < timedelta(minutes=31)

    def test_tells_listeners(self, hourly: Callable[..., Any], events: list[Any]) -> None:
        hourly()

        assert [(event.code, event.job_id) for event in events] == [(EVENT_JOB_ADDED, "hourly")]

    def test_takes_defaults_that_were_not_given_from_the_scheduler(self, scheduler: BaseScheduler) -> None:
        defaults = {"misfire_grace_time": 3, "coalesce": False, "max_instances": 6}
        scheduler.configure(jobstores={"default": PostgresJobStore()}, job_defaults=defaults)
        scheduler.start(paused=True)

        scheduler.add_job(tasks.first, "interval", hours=1, id="a")

        job = stored("a")
        assert (job.misfire_grace_time, job.coalesce, job.max_instances) == (3, False, 6)

    def test_waits_for_the_start(self, scheduler: BaseScheduler) -> None:
        pending = scheduler.add_job(tasks.first, "interval", hours=1, id="a")
        assert not Job.objects.exists()

        scheduler.start(paused=True)

        assert stored("a").next_run_time == pending.next_run_time
        assert not pending.pending

    def test_refuses_an_id_that_is_taken(self, scheduler: BaseScheduler) -> None:
        scheduler.start(paused=True)
        scheduler.add_job(tasks.first, "interval", hours=1, id="a")

        with pytest.raises(ConflictingIdError):
            scheduler.add_job(tasks.first, "interval", hours=1, id="a", replace_existing=False)

    def test_replaces_in_place_and_keeps_the_history(self, running: BaseScheduler, hourly: Callable[..., Any]) -> None:
        hourly()
        run = jobs.run_now(job=stored("hourly"))

        running.add_job(tasks.second, "cron", hour=3, id="hourly", name="replacement", replace_existing=True)

        assert [(job.id, job.name) for job in running.get_jobs()] == [("hourly", "replacement")]
        assert Run.objects.get(pk=run.pk).job == stored("hourly")
        assert stored("hourly").task == "contract.second"

    def test_keeps_the_phase_of_an_interval_over_restarts(self, hourly: Callable[..., Any]) -> None:
        hourly()
        first = stored("hourly").next_run_time

        hourly(replace_existing=True)

        assert stored("hourly").next_run_time == first

    def test_runs_at_once_if_told_so_and_goes_on_from_there(self, hourly: Callable[..., Any]) -> None:
        now = datetime.now(UTC)

        hourly(next_run_time=now)

        job = stored("hourly")
        assert job.next_run_time == now
        assert triggers.parse(job.trigger).next_after(now) == now + timedelta(hours=1)

    def test_adds_paused_if_told_so(self, hourly: Callable[..., Any]) -> None:
        hourly(next_run_time=None)

        assert (stored("hourly").state, stored("hourly").next_run_time) == (JobState.PAUSED, None)

    def test_runs_once_at_once_without_a_trigger(self, running: BaseScheduler) -> None:
        before = datetime.now(UTC)

        job = running.add_job(tasks.first)

        assert before <= stored(job.id).next_run_time <= datetime.now(UTC)
        assert stored(job.id).trigger["type"] == "date"

    def test_fires_a_cron_by_fields_when_our_trigger_says(self, running: BaseScheduler) -> None:
        before = datetime.now(UTC)
        running.add_job(tasks.first, "cron", day_of_week="mon", hour=2, minute=30, id="weekly")

        job = stored("weekly")
        assert job.trigger["timezone"] == "Europe/Berlin"
        assert job.next_run_time in first_since(before, job)

    def test_refuses_what_is_no_task(self, running: BaseScheduler) -> None:
        with pytest.raises(UnknownTask, match="is not a task"):
            running.add_job(tasks.unregistered, "interval", hours=1)

        assert not Job.objects.exists()


class TestModifyJob:
    def test_changes_what_was_given_and_nothing_else(
        self, running: BaseScheduler, hourly: Callable[..., Any], events: list[Any]
    ) -> None:
        hourly()
        before = stored("hourly")

        running.modify_job("hourly", name="Every hour", max_instances=3)

        job = stored("hourly")
        assert (job.name, job.max_instances) == ("Every hour", 3)
        assert (job.next_run_time, job.trigger) == (before.next_run_time, before.trigger)
        assert events[-1].code == EVENT_JOB_MODIFIED

    def test_moves_the_next_run_and_goes_on_from_there(
        self, running: BaseScheduler, hourly: Callable[..., Any]
    ) -> None:
        hourly()
        moment = datetime(2990, 1, 1, 4, 30, tzinfo=UTC)

        running.modify_job("hourly", next_run_time=moment)

        assert stored("hourly").next_run_time == moment
        assert triggers.parse(stored("hourly").trigger).next_after(moment) == moment + timedelta(hours=1)

    def test_checks_new_arguments(self, running: BaseScheduler) -> None:
        running.add_job(tasks.add, "interval", hours=1, args=[1], id="sum")

        running.modify_job("sum", args=[2], kwargs={"b": 3})

        assert (stored("sum").args, stored("sum").kwargs) == ([2], {"b": 3})

    def test_refuses_an_unknown_job(self, running: BaseScheduler) -> None:
        with pytest.raises(JobLookupError):
            running.modify_job("foo", name="x")


class TestRescheduleJob:
    def test_takes_the_new_trigger_and_never_fires_at_once(
        self, running: BaseScheduler, hourly: Callable[..., Any]
    ) -> None:
        hourly()
        before = datetime.now(UTC)

        running.reschedule_job("hourly", trigger="cron", hour=2)

        job = stored("hourly")
        assert job.trigger["type"] == "cron"
        assert job.next_run_time in first_since(before, job)

    def test_queues_what_was_due_just_now(self, running: BaseScheduler, hourly: Callable[..., Any]) -> None:
        due = datetime.now(UTC) - timedelta(seconds=2)
        hourly(next_run_time=due, misfire_grace_time=600)

        running.reschedule_job("hourly", trigger="interval", hours=5)

        assert [run.scheduled_at for run in Run.objects.all()] == [due]
        assert stored("hourly").next_run_time > datetime.now(UTC)


class TestPauseAndResumeJob:
    def test_pauses_and_resumes_in_phase(self, running: BaseScheduler, hourly: Callable[..., Any]) -> None:
        hourly()
        before = stored("hourly").next_run_time

        running.pause_job("hourly")
        paused = stored("hourly")
        running.resume_job("hourly")

        assert (paused.state, paused.next_run_time) == (JobState.PAUSED, None)
        assert (stored("hourly").state, stored("hourly").next_run_time) == (JobState.ACTIVE, before)

    def test_pauses_twice_without_complaint(self, running: BaseScheduler, hourly: Callable[..., Any]) -> None:
        hourly()

        running.pause_job("hourly")
        running.pause_job("hourly")

        assert stored("hourly").version == 2

    def test_works_on_the_job_object(self, running: BaseScheduler, hourly: Callable[..., Any]) -> None:
        job = hourly()

        job.pause()
        assert running.get_job("hourly").next_run_time is None
        job.resume()

        assert running.get_job("hourly").next_run_time is not None

    def test_does_not_resume_what_cannot_run(self, running: BaseScheduler, hourly: Callable[..., Any]) -> None:
        hourly()
        running.pause_job("hourly")
        Job.objects.update(task="gone")

        with pytest.raises(UnknownTask):
            running.resume_job("hourly")

        assert stored("hourly").state == JobState.PAUSED


class TestGetAndRemoveJobs:
    def test_get_job_finds_it_or_returns_nothing(self, running: BaseScheduler, hourly: Callable[..., Any]) -> None:
        added = hourly()

        assert running.get_job("hourly") == added
        assert running.get_job("foo") is None

    def test_shows_what_a_service_created(self, running: BaseScheduler) -> None:
        jobs.create(id="a", task="contract.first", trigger={"type": "cron", "expression": "0 3 * * *"})

        (job,) = running.get_jobs()

        assert (job.id, job.func, str(job.trigger)) == ("a", tasks.first, "at 03:00 every day, UTC")

    def test_removes_one(self, running: BaseScheduler, hourly: Callable[..., Any], events: list[Any]) -> None:
        hourly()

        running.remove_job("hourly")

        assert running.get_jobs() == []
        assert events[-1].code == EVENT_JOB_REMOVED
        with pytest.raises(JobLookupError):
            running.remove_job("hourly")

    def test_removes_all(self, running: BaseScheduler, hourly: Callable[..., Any], events: list[Any]) -> None:
        hourly()
        running.add_job(tasks.second, "interval", hours=1)

        running.remove_all_jobs()

        assert running.get_jobs() == []
        assert events[-1].code == EVENT_ALL_JOBS_REMOVED


@pytest.mark.django_db(transaction=True)
class TestStockJobStore:
    """A process with the stock job store reads what we wrote."""

    SCRIPT = """
import json, os, sys
import django
django.setup()
from datetime import datetime, UTC
from django.conf import settings
from django.db import connections
connections["default"].settings_dict["NAME"] = sys.argv[1]
from apscheduler.schedulers.background import BackgroundScheduler
from django_apscheduler.jobstores import DjangoJobStore
store = DjangoJobStore()
store.start(BackgroundScheduler(), "default")
after = datetime(2027, 2, 10, 12, tzinfo=UTC)
found = {}
for job in store.get_all_jobs():
    before = job.next_run_time if job.id == "calendar" else None
    fire_time = job.trigger.get_next_fire_time(before, after).astimezone(UTC)
    found[job.id] = [job.func_ref, list(job.args), str(fire_time)]
print(json.dumps(found))
store.shutdown()
"""

    def test_lists_our_jobs_with_their_functions_and_fire_times(self) -> None:
        """The triggers are stock's own, which computes other times on days when clocks change."""
        after = datetime(2027, 2, 10, 12, tzinfo=UTC)
        forms = {
            "cron": {"type": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin"},
            "interval": {"type": "interval", "minutes": 30, "start_at": "2026-12-01T00:07:00Z"},
            "date": {"type": "date", "run_at": "2099-05-01T12:00:00", "timezone": "America/New_York"},
            "calendar": {"type": "calendar", "months": 1, "at": "02:30", "start_at": "2027-01-31T00:00:00Z"},
        }
        for id, form in forms.items():
            jobs.create(id=id, task="contract.add", args=[1], trigger=form, now=datetime(2027, 1, 1, tzinfo=UTC))

        answer = subprocess.run(
            [sys.executable, "-c", self.SCRIPT, connection.settings_dict["NAME"]],
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "openlearn.settings"},
        )

        assert answer.returncode == 0, answer.stderr
        found = json.loads(answer.stdout.splitlines()[-1])
        expected = {
            id: ["tests.contract.tasks:add", [1], str(triggers.first_fire_time(stored(id).trigger, now=after))]
            for id in forms
        }
        assert found == expected


@pytest.mark.django_db(transaction=True)
class TestDurableScheduler:
    @pytest.fixture
    def durable(self) -> Iterator[DurableScheduler]:
        made = DurableScheduler(timezone=BERLIN, settings=replace(conf.get(), threads=1, processes=0))
        made.start(paused=True)
        yield made
        made.shutdown()

    def test_finishes_a_resumed_job_whose_trigger_is_over(self, durable: DurableScheduler) -> None:
        durable.add_job(tasks.first, "interval", hours=1, id="over")
        durable.pause_job("over")
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE scheduler_job SET trigger = %s, version = version + 1",
                [json.dumps({"type": "interval", "hours": 1, "end_at": "2020-01-01T00:00:00Z"})],
            )

        assert durable.resume_job("over") is None

        assert stored("over").state == JobState.FINISHED

    def test_refuses_a_cron_that_never_fires_at_once(self, durable: DurableScheduler) -> None:
        with pytest.raises(InvalidTrigger, match="never"):
            durable.add_job(tasks.first, "cron", month=2, day=31)

        assert not Job.objects.exists()
