from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django_apscheduler.models import DjangoJob

from scheduler.core.states import JobState, RunKind, RunState
from scheduler.errors import (
    AlreadyPaused,
    InvalidArguments,
    JobIsBroken,
    JobNotFound,
    NotPaused,
    UnknownTask,
)
from scheduler.models import Job, Run
from scheduler.services import jobs
from tests.integration.services.nightly import HOURLY, NOW, again, at, break_job, make

pytestmark = pytest.mark.django_db


class TestPause:
    def test_takes_the_job_out_of_the_schedule(self) -> None:
        job = again(jobs.pause(job=make(), actor="ada", reason="too noisy", now=NOW))

        assert (job.state, job.next_run_time, job.state_reason) == (JobState.PAUSED, None, "too noisy")
        assert (job.state_changed_by, job.state_changed_at, job.version) == ("ada", NOW, 2)

    def test_refuses_a_second_time(self) -> None:
        job = jobs.pause(job=make(), now=NOW)

        with pytest.raises(AlreadyPaused, match="“nightly” is paused already"):
            jobs.pause(job=job, now=NOW)

        assert again(job).version == 2

    def test_enters_what_was_due_just_now_as_skipped(self) -> None:
        jobs.pause(job=make(now=at(0)), now=at(1) + timedelta(milliseconds=500))

        (run,) = Run.objects.all()
        assert (run.state, run.scheduled_at) == (RunState.SKIPPED, at(1))
        assert run.reason == "The job was paused before this could start."

    def test_leaves_a_run_that_waits_already_alone(self) -> None:
        job = make()
        run = jobs.run_now(job=job, now=NOW)

        jobs.pause(job=job, now=NOW)

        run.refresh_from_db()
        assert run.state == RunState.QUEUED

    def test_works_on_a_broken_job(self) -> None:
        job = make()
        break_job(job, interrupted_at=None)

        assert jobs.pause(job=job, now=NOW).state == JobState.PAUSED


class TestResume:
    def test_goes_on_in_phase(self) -> None:
        job = jobs.pause(job=make(trigger=HOURLY), now=NOW)

        resumed = again(jobs.resume(job=job, actor="ada", now=at(1, 55, day=24)))

        assert (resumed.state, resumed.next_run_time) == (JobState.ACTIVE, at(2, day=24))
        assert (resumed.state_reason, resumed.state_changed_by) == ("", "ada")
        assert not Run.objects.exists()

    def test_finishes_a_date_that_passed_meanwhile(self) -> None:
        job = make(trigger={"type": "date", "run_at": "2026-11-23T16:00:00Z"})
        jobs.pause(job=job, now=NOW)

        resumed = jobs.resume(job=job, now=at(17))

        assert (resumed.state, resumed.next_run_time) == (JobState.FINISHED, None)

    def test_refuses_a_job_that_is_not_paused(self) -> None:
        with pytest.raises(NotPaused, match="“nightly” is not paused, but active"):
            jobs.resume(job=make())

    def test_refuses_a_job_that_cannot_run(self) -> None:
        job = jobs.pause(job=make(), now=NOW)
        Job.objects.update(task="nobody", version=3)

        with pytest.raises(UnknownTask):
            jobs.resume(job=job)

        assert again(job).state == JobState.PAUSED


class TestRunNow:
    def test_queues_one_run_and_leaves_the_schedule_alone(self) -> None:
        job = make(task="contract.add", args=[1])

        run = jobs.run_now(job=job, actor="ada", now=NOW)

        run.refresh_from_db()
        assert (run.kind, run.state, run.scheduled_at, run.node) == (RunKind.MANUAL, RunState.QUEUED, NOW, None)
        assert (run.job_key, run.job_name, run.args, run.requested_by) == ("nightly", "nightly", [1], "ada")
        assert again(job).next_run_time == job.next_run_time
        assert again(job).version == 1

    def test_takes_other_arguments_for_this_run(self) -> None:
        job = make(task="contract.add", args=[1])

        assert jobs.run_now(job=job, kwargs={"b": 5}).kwargs == {"b": 5}
        assert again(job).kwargs == {}

    def test_waits_while_max_instances_are_active(self) -> None:
        job = make()

        first, second = jobs.run_now(job=job), jobs.run_now(job=job)

        assert (first.held, second.held) == (False, True)

    def test_works_on_a_paused_job(self) -> None:
        job = jobs.pause(job=make(), now=NOW)

        assert jobs.run_now(job=job).state == RunState.QUEUED

    def test_refuses_a_broken_job_with_the_reason(self) -> None:
        job = make()
        break_job(job, interrupted_at=None)

        with pytest.raises(JobIsBroken, match=r"“nightly” cannot run: Its task is gone\."):
            jobs.run_now(job=job)

    def test_refuses_arguments_that_do_not_fit(self) -> None:
        with pytest.raises(InvalidArguments):
            jobs.run_now(job=make(), kwargs={"x": 1})

        assert not Run.objects.exists()


class TestRemove:
    @pytest.mark.parametrize("way", ["service", "object", "queryset", "parent", "sql"])
    def test_keeps_the_history(self, way: str) -> None:
        job = make(name="Nightly")
        run = jobs.run_now(job=job)

        if way == "service":
            jobs.remove(job=job, actor="ada")
        elif way == "object":
            again(job).delete()
        elif way == "queryset":
            Job.objects.filter(pk=job.pk).delete()
        elif way == "parent":
            DjangoJob.objects.all().delete()
        else:
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM scheduler_job; DELETE FROM django_apscheduler_djangojob")

        run.refresh_from_db()
        assert (run.job_id, run.job_key, run.job_name) == (None, "nightly", "Nightly")
        assert not DjangoJob.objects.exists()

    def test_refuses_a_job_that_is_gone(self) -> None:
        job = make()
        jobs.remove(job=again(job))

        with pytest.raises(JobNotFound):
            jobs.remove(job=job)


class TestGet:
    def test_finds_a_job_by_its_id(self) -> None:
        assert jobs.get(id=make().pk).task == "contract.first"

    def test_says_that_there_is_none(self) -> None:
        with pytest.raises(JobNotFound, match="There is no job with the id “foo”"):
            jobs.get(id="foo")
