"""The Python API takes what people have at hand: functions, ids, durations, and an event loop."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

import pytest
from asgiref.sync import async_to_sync

from scheduler.core.definition import FIELDS, POLICIES, PolicyValues
from scheduler.core.states import JobState, RunState
from scheduler.core.tasks.registry import registry, task
from scheduler.errors import InvalidPolicy, InvalidTask, JobNotFound, UnknownTask
from scheduler.models import Job, Run
from scheduler.services import jobs, runs
from tests.contract import tasks

HOURLY = {"type": "interval", "hours": 1}

pytestmark = pytest.mark.django_db


def make(**more: Any) -> Job:
    return jobs.create(**{"id": "a", "task": tasks.first, "trigger": HOURLY, **more})


class TestATask:
    def test_may_be_given_as_the_function(self) -> None:
        assert make().task == "contract.first"
        assert jobs.update(job="a", task=tasks.second).task == "contract.second"

    def test_is_named_when_the_function_is_none(self) -> None:
        with pytest.raises(UnknownTask, match=r"Decorate it with @task"):
            make(task=inspect.getsource)

    def test_may_have_its_timeout_in_seconds(self) -> None:
        task(name="calling.seconds", timeout=90)(_body)
        task(name="calling.delta", timeout=timedelta(minutes=1.5))(_body)

        assert registry.get("calling.seconds").timeout == registry.get("calling.delta").timeout == timedelta(seconds=90)

    @pytest.mark.parametrize("timeout", [0, -1, True, "60", timedelta(), float("inf")])
    def test_has_a_positive_timeout(self, timeout: Any) -> None:
        with pytest.raises(InvalidTask, match="positive timedelta or number of seconds"):
            task(name="calling.odd", timeout=timeout)(_body)

    def test_says_how_a_name_is_given(self) -> None:
        with pytest.raises(InvalidTask, match=r"@task\(name='reports.send'\)"):
            task("reports.send")  # type: ignore[type-var]


def _body() -> None: ...


class TestAJob:
    def test_may_be_given_as_its_id(self) -> None:
        make()

        assert jobs.pause(job="a").state == JobState.PAUSED
        assert jobs.resume(job="a").state == JobState.ACTIVE
        run = jobs.run_now(job="a")
        assert runs.cancel(run=run.pk).state == RunState.CANCELLED
        assert runs.retry(run=run.pk).previous_id == run.pk
        jobs.remove(job="a")
        assert not Job.objects.exists()

    def test_is_paused_until_a_time_on_the_clocks_of_the_project(self) -> None:
        make()

        naive = datetime.fromisoformat("2999-01-01T09:00")

        assert jobs.pause(job="a", until=naive).paused_until == datetime(2999, 1, 1, 9, tzinfo=UTC)

    @pytest.mark.parametrize("call", [jobs.update, jobs.pause, jobs.resume, jobs.run_now, jobs.remove])
    def test_that_is_not_there_is_named(self, call: Any) -> None:
        with pytest.raises(JobNotFound, match="“none”"):
            call(job="none")


class TestADuration:
    @pytest.mark.parametrize("name", [field.name for field in FIELDS if field.is_duration])
    def test_may_be_a_timedelta_wherever_it_is_seconds(self, name: str) -> None:
        assert getattr(make(**{name: timedelta(minutes=2)}), name) == getattr(make(id="b", **{name: 120}), name) == 120

    def test_is_none_where_there_are_no_seconds(self) -> None:
        with pytest.raises(InvalidPolicy, match="max_retries"):
            make(max_retries=timedelta(seconds=2))


class TestPolicies:
    def test_are_typed_as_the_table_has_them(self) -> None:
        assert set(get_type_hints(PolicyValues)) == set(POLICIES)

    def test_that_are_left_out_get_their_defaults_when_a_job_is_replaced(self) -> None:
        make(max_retries=3, timeout=5, priority=7, name="By hand", tags=["mine"])

        replaced = make(replace_existing=True)

        assert (replaced.max_retries, replaced.timeout, replaced.priority) == (0, None, 0)
        assert (replaced.name, replaced.tags) == ("By hand", ["mine"])


class TestAsyncCode:
    def test_has_each_service_under_a_name_of_its_own(self) -> None:
        async_to_sync(self._everything)()

        assert not Job.objects.exists()
        assert Run.objects.count() == 2

    async def _everything(self) -> None:
        job = await jobs.acreate(id="a", task=tasks.first, trigger=HOURLY)
        await jobs.apause(job=job)
        await jobs.aresume(job="a")
        run = await jobs.arun_now(job="a")
        await runs.acancel(run=run)
        await runs.aretry(run=run)
        assert (await jobs.aupdate(job="a", priority=3)).priority == 3
        assert (await jobs.aget(id="a")).priority == 3
        await jobs.aremove(job="a")

    def test_has_them_with_the_same_parameters(self) -> None:
        for module in (jobs, runs):
            for name, function in vars(module).items():
                if inspect.iscoroutinefunction(function):
                    assert inspect.signature(function) == inspect.signature(getattr(module, name[1:]))
