"""
What tasks and results owe to their users as values: the expectations of Django's own tests of ``Task``, for tasks of
``LedgerBackend``, which as of Django 6.1 have its policies as well.
"""

from __future__ import annotations

import pickle
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.module_loading import import_string

from scheduler.contrib.django_tasks.compat import InvalidTask, Task, task_backends
from tests.loops import in_a_loop
from tests.sample_app import django_tasks as sample

CAN_BE_PICKLED = hasattr(Task, "_reconstruct")
"""As of Django 6.1."""


def make(function: Any, **options: Any) -> Any:
    """Apply ``@task`` as the sample app does."""
    return sample.task(**options)(function)


class TestATask:
    def test_is_what_the_decorator_makes(self) -> None:
        for task in (sample.noop, sample.noop_async, sample.send_mail):
            assert isinstance(task, Task)

    def test_has_a_name_and_a_path_that_can_be_imported(self) -> None:
        assert sample.noop.name == "noop"
        assert sample.noop.module_path == "tests.sample_app.django_tasks.noop"
        assert import_string(sample.noop.module_path) is sample.noop

    def test_can_be_called_where_it_stands(self) -> None:
        assert sample.meaning_of_life.call() == 42
        assert in_a_loop(sample.meaning_of_life.acall()) == 42
        assert sample.noop_async.call() is None
        assert in_a_loop(sample.noop_async.acall()) is None

    def test_finds_its_backend(self) -> None:
        assert sample.noop.get_backend() is task_backends["default"]

    @pytest.mark.skipif(not CAN_BE_PICKLED, reason="This Django does not pickle tasks.")
    @pytest.mark.parametrize("task", [sample.noop, sample.fail_twice, sample.send_mail], ids=lambda task: task.name)
    def test_can_be_pickled_with_its_policies(self, task: Any) -> None:
        assert pickle.loads(pickle.dumps(task)) == task  # noqa: S301 - our own

    @pytest.mark.skipif(not CAN_BE_PICKLED, reason="This Django does not pickle tasks.")
    @pytest.mark.parametrize("path", ["does.not.exist.fake_task", "builtins.any"])
    def test_is_not_made_of_a_pickle_that_names_something_else(self, path: str) -> None:
        with pytest.raises(ValueError, match=f"Expected '{path}' to point to a Task instance"):
            type(sample.noop)._reconstruct({"func": path})


class TestUsing:
    def test_makes_another_task_that_is_equal(self) -> None:
        assert sample.noop.using() == sample.noop
        assert sample.noop.using() is not sample.noop

    def test_changes_what_it_names_and_keeps_the_rest(self) -> None:
        now = timezone.now()
        later = sample.fail_twice.using(run_after=now, queue_name="mail")
        first = later.using(priority=10)
        assert (first.run_after, first.queue_name, first.priority) == (now, "mail", 10)
        assert (later.priority, sample.fail_twice.run_after, sample.fail_twice.queue_name) == (0, None, "default")
        assert task_backends["default"]._policies(first).max_retries == 2

    def test_refuses_a_backend_that_does_not_exist(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="unknown"):
            sample.noop.using(backend="unknown")

    def test_refuses_a_backend_that_cannot_be_imported(self, settings: Any) -> None:
        settings.TASKS = {**settings.TASKS, "missing": {"BACKEND": "does.not.exist"}}
        with pytest.raises(ImproperlyConfigured, match=r"does\.not\.exist"):
            sample.noop.using(backend="missing")

    def test_refuses_a_time_without_a_zone(self) -> None:
        with pytest.raises(InvalidTask, match="run_after must be an aware datetime"):
            sample.noop.using(run_after=datetime.now() + timedelta(hours=1))  # noqa: DTZ005 - that is the mistake

    def test_refuses_a_queue_that_the_backend_does_not_have(self) -> None:
        with pytest.raises(InvalidTask, match="Queue 'unknown' is not valid for backend"):
            sample.noop.using(queue_name="unknown")


class TestTheDecorator:
    @pytest.mark.parametrize("function", [any, TestUsing().test_makes_another_task_that_is_equal])
    def test_refuses_what_is_not_a_function_of_a_module(self, function: Any) -> None:
        with pytest.raises(InvalidTask, match="defined at a module level"):
            make(function)

    def test_refuses_a_task_that_takes_no_context_and_says_it_does(self) -> None:
        with pytest.raises(InvalidTask, match="does not have a first argument of 'context'"):
            make(sample.meaning_of_life.func, takes_context=True)

    def test_refuses_a_fixed_time(self) -> None:
        with pytest.raises(TypeError, match="run_after"):
            make(sample.meaning_of_life.func, run_after=timezone.now())


@pytest.mark.django_db
class TestAResult:
    @pytest.mark.skipif(not CAN_BE_PICKLED, reason="This Django does not pickle tasks.")
    def test_can_be_pickled(self) -> None:
        result = sample.noop.enqueue(1, two=3)
        assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301 - our own

    def test_is_equal_however_it_is_read(self) -> None:
        result = sample.noop.enqueue(1, two=3)
        assert sample.noop.get_result(result.id) == result

    def test_needs_a_backend(self, settings: Any) -> None:
        settings.TASKS = {}
        with pytest.raises(ImproperlyConfigured):
            sample.noop.enqueue()
