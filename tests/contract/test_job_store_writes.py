"""What a job store does with a job that it is given: APScheduler 3.11's rules, and ours beyond them."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apscheduler.job import Job
from apscheduler.jobstores.base import ConflictingIdError, JobLookupError
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from django_apscheduler.models import DjangoJob

from scheduler import models
from scheduler.core.states import JobSource, JobState
from scheduler.errors import InvalidArguments, InvalidName, InvalidTask, UnknownTask
from scheduler.services import jobs
from scheduler.store.jobstore import PostgresJobStore
from tests.contract import tasks

Add = Callable[..., Job]


def day(year: int, month: int, number: int, *rest: int) -> datetime:
    return datetime(year, month, number, *rest, tzinfo=UTC)


def row(job: Any) -> models.Job:
    return models.Job.objects.get(pk=job.id)


class TestAddJob:
    def test_refuses_an_id_that_is_taken(self, store: PostgresJobStore, add_job: Add) -> None:
        add_job(id="blah")

        with pytest.raises(ConflictingIdError):
            add_job(tasks.second, id="blah")

        assert models.Job.objects.get().task == "contract.first"

    def test_refuses_the_id_of_a_row_that_nobody_adopted_and_leaves_it(
        self, store: PostgresJobStore, add_job: Add
    ) -> None:
        DjangoJob.objects.create(id="blah", job_state=b"old")

        with pytest.raises(ConflictingIdError):
            add_job(id="blah")

        assert bytes(DjangoJob.objects.get().job_state) == b"old"

    def test_makes_a_job_that_everybody_sees(self, store: PostgresJobStore, add_job: Add) -> None:
        added = add_job(tasks.add, trigger=IntervalTrigger(minutes=30, timezone=UTC), args=(1,), id="unique_job_id")

        job = models.Job.objects.get(pk="unique_job_id")

        assert (job.task, job.args, job.kwargs, job.source) == ("contract.add", [1], {}, JobSource.CODE)
        assert job.trigger["type"] == "interval"
        assert job.trigger["minutes"] == 30
        assert (job.state, job.needs_inspection, job.version) == (JobState.ACTIVE, False, 1)
        assert job.next_run_time == added.next_run_time

    def test_adds_a_job_without_a_next_run_time_as_paused(self, store: PostgresJobStore, add_job: Add) -> None:
        job = row(add_job(paused=True))

        assert (job.state, job.next_run_time) == (JobState.PAUSED, None)

    def test_honours_a_next_run_time_that_the_trigger_would_not_say(
        self, store: PostgresJobStore, add_job: Add
    ) -> None:
        job = add_job(is_added=False, trigger=CronTrigger(hour=3, timezone=UTC))
        job.next_run_time = day(2990, 1, 1, 4, 30)

        store.add_job(job)

        assert row(job).next_run_time == day(2990, 1, 1, 4, 30)

    def test_lets_an_interval_go_on_from_a_given_next_run_time(self, store: PostgresJobStore, add_job: Add) -> None:
        job = add_job(is_added=False, trigger=IntervalTrigger(minutes=30, timezone=UTC))
        job.next_run_time = datetime.now(UTC)

        store.add_job(job)

        assert datetime.fromisoformat(row(job).trigger["start_at"]) == job.next_run_time

    def test_computes_with_our_trigger_where_apschedulers_is_wrong(
        self, store: PostgresJobStore, add_job: Add, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # 02:30 does not exist on 28 March 2027 in Berlin: our trigger fires right after the gap.
        now = datetime(2027, 3, 27, 12, tzinfo=UTC)
        monkeypatch.setattr("scheduler.store.jobstore.database_now", lambda: now)
        trigger = CronTrigger(hour=2, minute=30, timezone="Europe/Berlin")
        job = add_job(is_added=False, trigger=trigger)
        job.next_run_time = trigger.get_next_fire_time(None, now)

        store.add_job(job)

        assert row(job).next_run_time == datetime(2027, 3, 28, 1, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("func", "message"),
        [
            (lambda: None, "could not find a lambda"),
            (functools.partial(tasks.first), "could not find a lambda"),
        ],
        ids=["lambda", "partial"],
    )
    def test_refuses_what_another_process_could_not_find(
        self, store: PostgresJobStore, add_job: Add, func: Any, message: str
    ) -> None:
        with pytest.raises(InvalidTask, match=message):
            add_job(func, name="odd")

        assert not DjangoJob.objects.exists()

    def test_refuses_a_function_that_is_no_task(self, store: PostgresJobStore, add_job: Add) -> None:
        with pytest.raises(UnknownTask, match=r"“tests\.contract\.tasks:unregistered” is not a task\. Decorate it"):
            add_job(tasks.unregistered)

    def test_refuses_arguments_that_json_cannot_hold(self, store: PostgresJobStore, add_job: Add) -> None:
        with pytest.raises(InvalidArguments):
            add_job(tasks.add, args=[object()])

    @pytest.mark.parametrize("text", ["a\x00b", "\ud800"], ids=["NUL", "half a pair"])
    def test_refuses_arguments_that_postgresql_cannot_hold(
        self, store: PostgresJobStore, add_job: Add, text: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(InvalidArguments):
            add_job(tasks.echo, args=[text])

    def test_refuses_arguments_that_do_not_fit_the_task(self, store: PostgresJobStore, add_job: Add) -> None:
        with pytest.raises(InvalidArguments, match="a: “one” is not a whole number"):
            add_job(tasks.add, args=["one"])

    @pytest.mark.parametrize("given", [{"id": "a\x00"}, {"name": "x" * 256}], ids=["id", "name"])
    def test_refuses_words_that_cannot_be_stored(self, add_job: Add, given: dict[str, str]) -> None:
        with pytest.raises(InvalidName):
            add_job(**given)

    def test_finishes_a_job_whose_trigger_is_over(self, store: PostgresJobStore, add_job: Add) -> None:
        over = IntervalTrigger(minutes=1, start_date=day(2020, 1, 1), end_date=day(2020, 1, 2), timezone=UTC)

        job = row(add_job(trigger=over))

        assert (job.state, job.next_run_time) == (JobState.FINISHED, None)


class TestUpdateJob:
    def test_replaces_the_job(self, store: PostgresJobStore, add_job: Add) -> None:
        first, second = add_job(run_date=day(2916, 5, 3)), add_job(tasks.second, day(2914, 2, 26))
        replacement = add_job(run_date=day(2916, 5, 4), id=first.id, max_instances=6, is_added=False)

        store.update_job(replacement)

        found = store.get_all_jobs()
        assert [job.id for job in found] == [second.id, first.id]
        assert found[1].next_run_time == day(2916, 5, 4)
        assert found[1].max_instances == 6

    def test_replaces_the_job_by_one_whose_date_is_over_as_add_job_takes_it(
        self, store: PostgresJobStore, add_job: Add
    ) -> None:
        first, second = add_job(run_date=day(2016, 5, 3)), add_job(tasks.second, day(2014, 2, 26))

        store.update_job(add_job(run_date=day(2016, 5, 4), id=first.id, max_instances=6, is_added=False))

        found = store.get_all_jobs()
        assert [(job.id, job.next_run_time) for job in found] == [
            (second.id, day(2014, 2, 26)),
            (first.id, day(2016, 5, 4)),
        ]
        assert found[1].max_instances == 6

    def test_finishes_a_job_whose_new_trigger_is_over(self, store: PostgresJobStore, add_job: Add) -> None:
        add_job(trigger=IntervalTrigger(minutes=30, timezone=UTC), id="ends")
        over = IntervalTrigger(minutes=1, start_date=day(2020, 1, 1), end_date=day(2020, 1, 2), timezone=UTC)

        store.update_job(add_job(trigger=over, id="ends", is_added=False))

        job = models.Job.objects.get()
        assert (job.state, job.next_run_time) == (JobState.FINISHED, None)

    @pytest.mark.parametrize("next_run_time", [day(2013, 8, 13), None], ids=["earlier", "paused"])
    def test_moves_or_pauses_by_next_run_time(
        self, store: PostgresJobStore, add_job: Add, next_run_time: datetime | None
    ) -> None:
        first = add_job(run_date=day(2916, 5, 3))
        third = add_job(tasks.second, day(2913, 8, 14))
        first.next_run_time = next_run_time

        store.update_job(first)

        assert store.get_next_run_time() == (next_run_time or third.next_run_time)

    @pytest.mark.parametrize(
        ("index", "next_run_time", "expected"),
        [
            (0, day(2013, 8, 13), ["job0", "job1", "job2"]),
            (1, day(2013, 8, 13), ["job1", "job0", "job2"]),
            (2, day(2013, 8, 13), ["job2", "job0", "job1"]),
            (0, None, ["job1", "job2"]),
            (1, None, ["job0", "job2"]),
            (2, None, ["job0", "job1"]),
        ],
    )
    def test_keeps_the_order_of_those_due_at_once(
        self, store: PostgresJobStore, add_job: Add, index: int, next_run_time: datetime | None, expected: list[str]
    ) -> None:
        added = [add_job(run_date=day(2014, 2, 26), id=f"job{number}") for number in range(3)]
        added[index].next_run_time = next_run_time

        store.update_job(added[index])

        assert [job.id for job in store.get_due_jobs(day(2014, 2, 27))] == expected

    def test_refuses_an_unknown_job(self, store: PostgresJobStore, add_job: Add) -> None:
        with pytest.raises(JobLookupError):
            store.update_job(add_job(is_added=False))

    def test_refuses_a_job_that_was_deleted_since_it_was_read(self, store: PostgresJobStore, add_job: Add) -> None:
        job = store.lookup_job(add_job().id)
        store.remove_job(job.id)
        job.name = "new"

        with pytest.raises(JobLookupError):
            store.update_job(job)

    def test_writes_nothing_if_nothing_changed(self, store: PostgresJobStore, add_job: Add) -> None:
        job = store.lookup_job(add_job().id)

        store.update_job(job)

        assert row(job).version == 1

    def test_keeps_what_somebody_else_changed_since_it_was_read(self, store: PostgresJobStore, add_job: Add) -> None:
        job = store.lookup_job(add_job(trigger=IntervalTrigger(minutes=30, timezone=UTC)).id)
        edited = jobs.update(job=row(job), trigger={"type": "interval", "hours": 5})
        job.max_instances = 3

        store.update_job(job)

        after = row(job)
        assert (after.max_instances, after.trigger, after.next_run_time) == (3, edited.trigger, edited.next_run_time)

    def test_takes_over_a_row_that_stock_wrote_without_reading_it(self, store: PostgresJobStore, add_job: Add) -> None:
        DjangoJob.objects.create(id="blah", next_run_time=day(2013, 1, 1), job_state=b"old")

        store.update_job(add_job(id="blah", run_date=day(2916, 5, 4), is_added=False))

        job = models.Job.objects.get(pk="blah")
        assert (job.task, job.next_run_time) == ("contract.first", day(2916, 5, 4))
        assert pickle.loads(bytes(job.job_state))["func"] == "tests.contract.tasks:first"  # noqa: S301 - our own


class TestReplacing:
    """``update_job`` with a job that this store did not return: ``add_job(…, replace_existing=True)``."""

    @pytest.fixture
    def hourly(self, add_job: Add) -> Callable[..., Job]:
        return lambda **options: add_job(trigger=IntervalTrigger(hours=1, timezone=UTC), id="hourly", **options)

    def test_keeps_the_phase_of_an_interval_over_restarts(
        self, store: PostgresJobStore, hourly: Callable[..., Job]
    ) -> None:
        before = row(hourly())
        again = hourly(is_added=False)

        store.update_job(again)

        after = row(again)
        assert again.next_run_time > before.next_run_time
        assert (after.next_run_time, after.trigger) == (before.next_run_time, before.trigger)

    def test_takes_a_start_that_was_given(
        self, store: PostgresJobStore, hourly: Callable[..., Job], add_job: Add
    ) -> None:
        hourly()
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=7)
        trigger = IntervalTrigger(hours=1, start_date=start, timezone=UTC)

        store.update_job(add_job(trigger=trigger, id="hourly", is_added=False))

        assert models.Job.objects.get(pk="hourly").next_run_time == start

    def test_keeps_the_pause_of_a_person(self, store: PostgresJobStore, hourly: Callable[..., Job]) -> None:
        jobs.pause(job=row(hourly()), actor="ada", reason="too noisy")

        store.update_job(hourly(is_added=False))

        job = models.Job.objects.get()
        assert (job.state, job.next_run_time, job.state_reason) == (JobState.PAUSED, None, "too noisy")

    def test_ends_a_pause_that_code_made(self, store: PostgresJobStore, hourly: Callable[..., Job]) -> None:
        paused = store.lookup_job(hourly().id)
        paused.next_run_time = None
        store.update_job(paused)

        store.update_job(hourly(is_added=False))

        assert models.Job.objects.get().state == JobState.ACTIVE

    def test_keeps_a_name_that_was_given_by_hand(self, store: PostgresJobStore, hourly: Callable[..., Job]) -> None:
        jobs.update(job=row(hourly()), name="The hourly one")

        store.update_job(hourly(is_added=False))

        assert models.Job.objects.get().name == "The hourly one"

    def test_takes_a_name_that_the_code_gives(self, store: PostgresJobStore, hourly: Callable[..., Job]) -> None:
        hourly()

        store.update_job(hourly(is_added=False, name="replacement"))

        assert models.Job.objects.get().name == "replacement"

    def test_does_not_run_a_finished_date_again(self, store: PostgresJobStore, add_job: Add) -> None:
        add_job(run_date=day(2020, 1, 1), id="once")
        models.Job.objects.update(state=JobState.FINISHED, version=2)
        DjangoJob.objects.update(next_run_time=None)

        store.update_job(add_job(run_date=day(2020, 1, 1), id="once", is_added=False))

        job = models.Job.objects.get()
        assert (job.state, job.next_run_time) == (JobState.FINISHED, None)

    def test_mends_a_broken_job(self, store: PostgresJobStore, hourly: Callable[..., Job]) -> None:
        hourly()
        models.Job.objects.update(state=JobState.BROKEN, reason_text="gone", version=2)
        DjangoJob.objects.update(next_run_time=None)

        store.update_job(hourly(is_added=False))

        job = models.Job.objects.get()
        assert (job.state, job.state_reason) == (JobState.ACTIVE, "")
        assert job.next_run_time is not None
