"""What APScheduler 3.11 expects of a job store, and what ours promises beyond that."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from apscheduler.job import Job
from apscheduler.jobstores.base import JobLookupError
from django.db import connection
from django_apscheduler.models import DjangoJob

from scheduler import models
from scheduler.core.states import JobState
from scheduler.core.tasks.registry import registry
from scheduler.errors import InvalidTrigger, UnknownTask
from scheduler.store.jobstore import PostgresJobStore
from scheduler.store.sessions.connections import Connection
from tests.contract import tasks

Add = Callable[..., Job]


def day(year: int, month: int, number: int, *rest: int) -> datetime:
    return datetime(year, month, number, *rest, tzinfo=UTC)


def row(job: Any) -> models.Job:
    return models.Job.objects.get(pk=job.id)


class TestLookupJob:
    def test_returns_an_equal_job_that_can_be_called(self, store: PostgresJobStore, add_job: Add) -> None:
        added = add_job(tasks.add, kwargs={"a": 1, "b": 2})

        job = store.lookup_job(added.id)

        assert job == added
        assert job.func(*job.args, **job.kwargs) == 3

    def test_returns_every_attribute_as_it_was_added(self, store: PostgresJobStore, add_job: Add) -> None:
        added = add_job(
            tasks.add,
            day(2999, 5, 3),
            args=[1],
            name="Sum",
            executor="processpool",
            misfire_grace_time=None,
            coalesce=False,
            max_instances=6,
        )

        job = store.lookup_job(added.id)

        assert (job.args, job.kwargs, job.name, job.executor) == ((1,), {}, "Sum", "processpool")
        assert (job.misfire_grace_time, job.coalesce, job.max_instances) == (None, False, 6)
        assert job.next_run_time == day(2999, 5, 3)
        assert job.trigger.run_date == day(2999, 5, 3)
        assert job.func_ref == "tests.contract.tasks:add"

    def test_takes_a_textual_reference(self, store: PostgresJobStore, add_job: Add) -> None:
        added = add_job("tests.contract.tasks:add", kwargs={"a": 1, "b": 2})

        job = store.lookup_job(added.id)

        assert job.func is tasks.add
        assert row(job).task == "contract.add"

    def test_returns_nothing_for_an_unknown_id(self, store: PostgresJobStore) -> None:
        assert store.lookup_job("foo") is None

    def test_points_to_its_scheduler_and_store(self, store: PostgresJobStore, add_job: Add) -> None:
        job = store.lookup_job(add_job().id)

        assert job._scheduler is store._scheduler
        assert job._jobstore_alias == "default"

    def test_shows_times_on_the_schedulers_clock(self, store: PostgresJobStore, add_job: Add) -> None:
        job = store.lookup_job(add_job(run_date=day(2999, 1, 1, 12)).id)

        assert job.next_run_time.isoformat() == "2999-01-01T13:00:00+01:00"

    def test_never_reads_the_pickle(self, store: PostgresJobStore, add_job: Add) -> None:
        added = add_job()
        DjangoJob.objects.filter(pk=added.id).update(job_state=b"no pickle at all")

        assert store.lookup_job(added.id) == added
        assert store.get_all_jobs() == [added]


class TestGetAllJobs:
    def test_is_ordered_by_when_they_are_due_and_paused_ones_come_last(
        self, store: PostgresJobStore, add_job: Add
    ) -> None:
        later = add_job(run_date=day(2916, 5, 3))
        sooner = add_job(tasks.second, day(2913, 8, 14))
        paused = add_job(tasks.second, day(2913, 7, 11), paused=True)

        assert store.get_all_jobs() == [sooner, later, paused]

    def test_shows_a_job_whose_task_is_gone_and_keeps_it(
        self, store: PostgresJobStore, add_job: Add, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone, other = add_job(tasks.second, day(2913, 8, 14)), add_job(run_date=day(2914, 2, 26))
        monkeypatch.delitem(registry._tasks, "contract.second")

        found = store.get_all_jobs()

        assert found == [gone, other]
        assert repr(found[0].func) == "<MissingTask contract.second>"
        with pytest.raises(UnknownTask, match=r"No task is registered as “contract\.second”"):
            found[0].func()
        assert models.Job.objects.count() == 2

    def test_shows_a_job_whose_trigger_is_nonsense(self, store: PostgresJobStore, add_job: Add) -> None:
        spoiled, other = add_job(), add_job(tasks.second)
        models.Job.objects.filter(pk=spoiled.id).update(trigger={"type": "cron", "expression": "nonsense"})

        found = {job.id: job for job in store.get_all_jobs()}

        assert set(found) == {spoiled.id, other.id}
        assert str(found[spoiled.id].trigger).startswith("unusable: ")
        with pytest.raises(InvalidTrigger, match="Its trigger cannot be used"):
            found[spoiled.id].trigger.get_next_fire_time(None, datetime.now(UTC))

    def test_shows_a_job_whose_arguments_are_nonsense(self, store: PostgresJobStore, add_job: Add) -> None:
        spoiled = add_job()
        models.Job.objects.filter(pk=spoiled.id).update(args=5, kwargs=[1])

        assert store.get_all_jobs() == [spoiled]

    def test_leaves_rows_out_that_nobody_adopted(self, store: PostgresJobStore, add_job: Add) -> None:
        DjangoJob.objects.create(id="stock", next_run_time=day(2013, 1, 1), job_state=b"old")
        added = add_job()

        assert store.get_all_jobs() == [added]
        assert store.lookup_job("stock") is None
        assert store.get_next_run_time() == added.next_run_time


class TestGetDueJobs:
    def test_returns_what_is_due_with_the_oldest_first(self, store: PostgresJobStore, add_job: Add) -> None:
        add_job(run_date=day(2016, 5, 3))
        middle, oldest = add_job(tasks.second, day(2014, 2, 26)), add_job(run_date=day(2013, 8, 14))
        add_job(run_date=day(2013, 7, 11), paused=True)

        assert store.get_due_jobs(day(2014, 2, 27)) == [oldest, middle]
        assert store.get_due_jobs(day(2013, 8, 13)) == []
        assert store.get_due_jobs(day(2013, 8, 14)) == [oldest]

    def test_tells_microseconds_apart(self, store: PostgresJobStore, add_job: Add) -> None:
        found = [add_job(run_date=day(2014, 7, 7, 0, 0, 0, moment)) for moment in (401, 402, 400)]

        due = store.get_due_jobs(day(2014, 7, 7, 0, 0, 0, 401))

        assert due == [found[2], found[0]]

    def test_takes_no_job_whose_state_was_changed_by_hand(self, store: PostgresJobStore, add_job: Add) -> None:
        added = add_job(run_date=day(2014, 7, 7))
        models.Job.objects.filter(pk=added.id).update(state=JobState.PAUSED)

        assert store.get_due_jobs(day(2015, 1, 1)) == []
        assert store.get_next_run_time() is None

    def test_warns_of_a_job_that_cannot_run_here(
        self, store: PostgresJobStore, add_job: Add, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        add_job(tasks.second, day(2013, 8, 14), id="gone")
        other = add_job(run_date=day(2014, 2, 26))
        monkeypatch.delitem(registry._tasks, "contract.second")

        with caplog.at_level(logging.WARNING):
            due = store.get_due_jobs(day(2015, 1, 1))

        assert due == [other]
        assert "“gone”" in caplog.text
        assert store.get_next_run_time() == day(2014, 2, 26)


class TestGetNextRunTime:
    def test_is_the_earliest_of_those_not_paused(self, store: PostgresJobStore, add_job: Add) -> None:
        add_job(run_date=day(2016, 5, 3))
        add_job(run_date=day(2013, 8, 14))
        add_job(run_date=day(2013, 7, 11), paused=True)

        assert store.get_next_run_time() == day(2013, 8, 14)

    def test_is_nothing_without_active_jobs(self, store: PostgresJobStore, add_job: Add) -> None:
        add_job(paused=True)

        assert store.get_next_run_time() is None


class TestRemoveJob:
    def test_deletes_one(self, store: PostgresJobStore, add_job: Add) -> None:
        first, second = add_job(), add_job(tasks.second)

        store.remove_job(first.id)

        assert store.get_all_jobs() == [second]
        assert DjangoJob.objects.count() == 1

    def test_refuses_an_unknown_id(self, store: PostgresJobStore) -> None:
        with pytest.raises(JobLookupError):
            store.remove_job("blah")


class TestRemoveAllJobs:
    def test_deletes_all_but_what_nobody_adopted(self, store: PostgresJobStore, add_job: Add) -> None:
        DjangoJob.objects.create(id="stock", job_state=b"old")
        add_job()
        add_job(tasks.second)

        store.remove_all_jobs()

        assert store.get_all_jobs() == []
        assert [job.pk for job in DjangoJob.objects.all()] == ["stock"]


class TestStart:
    def test_registers_no_listeners(self, scheduler: Any) -> None:
        scheduler.start(paused=True)

        assert scheduler._listeners == []

    def test_shutdown_leaves_a_transaction_of_the_caller_alone(self, store: PostgresJobStore) -> None:
        store.shutdown()

        assert connection.is_usable()


@pytest.mark.django_db(transaction=True)
class TestALostConnection:
    """The database was restarted while this thread kept its connection."""

    @pytest.fixture
    def lose(self) -> Iterator[Callable[[], None]]:
        other = Connection(purpose="test")

        def lose() -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                (pid,) = cursor.fetchone()
            with other.raw().cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

        yield lose
        other.close()

    def test_does_not_disturb_a_question(self, store: PostgresJobStore, add_job: Add, lose: Callable[[], None]) -> None:
        added = add_job()
        lose()

        assert store.get_all_jobs() == [added]

    def test_does_not_disturb_a_change(self, store: PostgresJobStore, add_job: Add, lose: Callable[[], None]) -> None:
        lose()
        added = add_job()
        lose()
        store.remove_job(added.id)

        assert store.get_all_jobs() == []
