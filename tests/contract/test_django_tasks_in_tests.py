"""
Further expectations of Django's own tests of task backends, and of those of django-tasks' database backend.

They need no node: ``scheduler.testing`` runs what was enqueued.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from scheduler.contrib.django_tasks import LedgerBackend
from scheduler.contrib.django_tasks.compat import (
    InvalidTask,
    Task,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_backends,
)
from scheduler.models import Run
from scheduler.testing import advance_by, advance_to, drain
from tests.sample_app import django_tasks as sample

pytestmark = pytest.mark.django_db

Async = Callable[[], Coroutine[Any, Any, Any]]

UNKNOWN = "00000000-0000-7000-8000-000000000000"


def called(make: Async) -> Any:
    """Run async code in the transaction of the test."""

    async def call() -> Any:
        return await make()

    return async_to_sync(call)()


class TestFromAsyncCode:
    def test_a_result_is_the_same(self) -> None:
        result = called(sample.noop.aenqueue)

        assert called(lambda: sample.noop.aget_result(result.id)) == result
        assert called(lambda: task_backends["default"].aget_result(result.id)) == result

    @pytest.mark.parametrize("result_id", [UNKNOWN, "123"])
    def test_a_result_that_does_not_exist_is_reported(self, result_id: str) -> None:
        with pytest.raises(TaskResultDoesNotExist):
            called(lambda: sample.noop.aget_result(result_id))

    def test_a_result_of_another_task_is_refused(self) -> None:
        result = sample.noop_async.enqueue()

        with pytest.raises(Exception, match="does not match") as raised:
            called(lambda: sample.noop.aget_result(result.id))
        assert type(raised.value).__name__ == "TaskResultMismatch"

    def test_arguments_are_validated(self) -> None:
        with pytest.raises(TypeError):
            called(lambda: sample.noop.aenqueue(datetime.now()))  # noqa: DTZ005 - as in Django's test
        assert not Run.objects.exists()

    def test_queues_are_validated(self, settings: Any) -> None:
        task = sample.noop.using(queue_name="mail")
        settings.TASKS = {"default": {**settings.TASKS["default"], "QUEUES": ["default"]}}

        with pytest.raises(InvalidTask, match="Queue 'mail' is not valid for backend"):
            called(task.aenqueue)
        with pytest.raises(InvalidTask, match="Queue 'mail' is not valid for backend"):
            task.enqueue()
        assert not Run.objects.exists()


class TestATask:
    def test_begins_after_an_instant_with_a_zone(self) -> None:
        with pytest.raises(InvalidTask, match="aware"):
            sample.noop.using(run_after=datetime.now())  # noqa: DTZ005 - as in Django's test

    def test_is_compared_by_its_fields(self) -> None:
        changed = sample.noop.using(priority=5)

        assert changed != sample.noop
        assert changed.using(priority=0) == sample.noop
        assert sample.noop.priority == 0

    def test_can_be_called_without_being_enqueued(self) -> None:
        assert sample.meaning_of_life.call() == 42
        assert called(sample.meaning_of_life.acall) == 42
        assert sample.noop_async.call() is None
        assert not Run.objects.exists()

    def test_is_the_one_of_its_results(self) -> None:
        later = timezone.now() + timedelta(hours=1)
        task = sample.noop.using(priority=7, queue_name="mail", run_after=later)
        result = task.enqueue()

        found = task.get_result(result.id).task

        assert (found.priority, found.queue_name, found.run_after) == (7, "mail", later)
        assert (found.module_path, found.backend) == (task.module_path, "default")


class TestAResult:
    @pytest.mark.skipif(not hasattr(Task, "_reconstruct"), reason="Tasks can be pickled as of Django 6.1.")
    def test_can_be_pickled(self) -> None:
        result = sample.add.enqueue(1)
        drain()
        result.refresh()

        copy = pickle.loads(pickle.dumps(result))  # noqa: S301 - of this process

        assert (copy.id, copy.status, copy.return_value) == (result.id, TaskResultStatus.SUCCESSFUL, 2)

    def test_has_its_times_in_their_order(self) -> None:
        for task in (sample.noop, sample.noop_async, sample.fail_with_value_error):
            result = task.enqueue()
            drain()
            result.refresh()

            assert result.is_finished
            assert result.enqueued_at <= result.started_at <= result.finished_at
            assert result.last_attempted_at == result.started_at
            assert result.attempts == len(result.worker_ids) == 1

    def test_of_a_failure_has_no_value(self) -> None:
        result = sample.fail_with_value_error.enqueue()
        drain()
        result.refresh()

        with pytest.raises(ValueError, match="Task failed"):
            _ = result.return_value
        assert result.errors[0].traceback.endswith("ValueError: This Task failed due to ValueError\n")

    def test_stays_as_it_was_until_it_is_refreshed(self) -> None:
        result = sample.meaning_of_life.enqueue()
        drain()

        assert (result.status, result.attempts) == (TaskResultStatus.READY, 0)
        called(result.arefresh)
        assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, 42)

    def test_that_was_deleted_cannot_be_refreshed(self) -> None:
        result = sample.noop.enqueue()
        drain()
        Run.objects.all().delete()

        with pytest.raises(TaskResultDoesNotExist):
            result.refresh()

    def test_is_logged_when_it_begins_and_ends(self, caplog: pytest.LogCaptureFixture) -> None:
        logger = sample.noop.get_backend().__class__.__mro__[1].__module__.partition(".backends")[0]
        with caplog.at_level("DEBUG", logger=logger):
            result = sample.fail_with_value_error.enqueue()
            drain()

        own = [record.getMessage() for record in caplog.records if record.name.startswith(logger)]
        assert [word for line in own for word in ("enqueued", "RUNNING", "FAILED") if word in line] == [
            "enqueued",
            "RUNNING",
            "FAILED",
        ]
        assert all(result.id in line for line in own)


class TestTheOrder:
    def test_is_that_of_priority_then_of_run_after(self) -> None:
        advance_to(timezone.now())
        now = timezone.now()
        old = sample.noop.using(priority=20, run_after=now - timedelta(hours=2)).enqueue()
        very_old = sample.noop.using(priority=20, run_after=now - timedelta(hours=10)).enqueue()
        future = sample.noop.using(priority=50, run_after=now + timedelta(hours=2)).enqueue()
        high = sample.noop.using(priority=10).enqueue()
        low = sample.noop.using(priority=-2).enqueue()

        ended = sorted(drain(), key=lambda run: (run.finished_at, run.pk))

        assert {str(run.public_id) for run in ended} == {old.id, very_old.id, high.id, low.id}
        ranks = Run.objects.finished().order_by("-priority", "due_at").values_list("public_id", flat=True)
        assert [str(each) for each in ranks] == [very_old.id, old.id, high.id, low.id]
        advance_by(timedelta(hours=2))
        assert [str(run.public_id) for run in drain()] == [future.id]


class TestTheChecks:
    def check(self, settings: Any, **given: Any) -> list[tuple[str, str]]:
        settings.TASKS = {"default": {**settings.TASKS["default"], **given}}
        backend = task_backends["default"]
        assert isinstance(backend, LedgerBackend)
        return [(message.id or "", message.msg) for message in backend.check() if "may not know" not in message.msg]

    def test_report_an_app_that_is_missing(self, settings: Any) -> None:
        settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name != "scheduler"]
        backend = task_backends["default"]

        found = [message for message in backend.check() if message.id == "scheduler.E008"]

        assert "'scheduler'" in (found[0].hint or "")

    def test_report_a_queue_that_cannot_be_used(self, settings: Any) -> None:
        ((identity, text),) = self.check(settings, QUEUES=["default", "a@b"])

        assert identity == "scheduler.E009"
        assert "a@b" in text

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"TASK": {}}, "TASK"),
            ({"TASKS": ["noop"]}, "must be a dict"),
            ({"TASKS": {sample.noop.module_path: {"retries": 3}}}, "retries"),
            ({"TASKS": {sample.noop.module_path: {"max_retries": -1}}}, "max_retries"),
            ({"TASKS": {"no.such.task": {"max_retries": 1}}}, "no.such.task"),
        ],
    )
    def test_report_options_that_cannot_be_used(self, settings: Any, options: Any, named: str) -> None:
        ((identity, text),) = self.check(settings, OPTIONS=options)

        assert identity in ("scheduler.E010", "scheduler.W010")
        assert named in text

    def test_report_a_task_in_a_module_that_nodes_do_not_load(self, settings: Any) -> None:
        module = sample.noop.func.__module__

        def unknown() -> list[str]:
            found = [message for message in task_backends["default"].check() if message.id == "scheduler.W011"]
            return [message.msg for message in found if module in (message.hint or "")]

        assert any(sample.noop.module_path in text for text in unknown())

        settings.SCHEDULER = {**settings.SCHEDULER, "TASK_MODULES": [module]}
        assert unknown() == []

    def test_report_nothing_else(self, settings: Any) -> None:
        policies = {sample.noop.module_path: {"max_retries": 1, "expires": 60}}

        assert self.check(settings, QUEUES=[], OPTIONS={"TASKS": policies}) == []
