"""
What backends of ``django.tasks`` owe to their users: the expectations of Django's own tests of its backends, and of
those of django-tasks' database backend, for ``LedgerBackend`` with a node.
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from scheduler.contrib.django_tasks import LedgerBackend, outcomes
from scheduler.contrib.django_tasks.compat import (
    InvalidTask,
    Task,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_backends,
    task_enqueued,
    task_finished,
    task_started,
)
from scheduler.engine.node import Node
from scheduler.errors import UnknownTask
from scheduler.models import Run
from scheduler.services import runs
from tests.loops import in_a_loop
from tests.nodes import make_node, work
from tests.sample_app import django_tasks as sample
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

Finish = Callable[[Any], Any]

PASSES_POLICIES_ON = "kwargs" in inspect.signature(sample.task).parameters
"""As of Django 6.1, and the backport."""


@pytest.fixture
def node() -> Iterator[Node]:
    node = make_node()
    yield node
    node.stop(grace_seconds=0.1)


@pytest.fixture
def finish(node: Node) -> Finish:
    """Let the node work until a result is finished, and return it as it is then."""

    def finish(result: Any) -> Any:
        def is_finished() -> bool:
            result.refresh()
            return bool(result.is_finished)

        work(node, until=is_finished)
        return result

    return finish


@contextmanager
def received(signal: Any) -> Iterator[list[tuple[Any, Any]]]:
    """Collect the senders and the results of a signal."""
    found: list[tuple[Any, Any]] = []

    def note(sender: Any, task_result: Any, **_: Any) -> None:
        found.append((sender, task_result))

    signal.connect(note, weak=False)
    try:
        yield found
    finally:
        signal.disconnect(note)


@contextmanager
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Catch what the framework logs: the handler of Django passes nothing on."""
    framework = logging.getLogger(type(task_backends).__module__)
    framework.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.DEBUG, logger=framework.name):
            yield
    finally:
        framework.removeHandler(caplog.handler)


def count_of_runs(other: Any) -> int:
    with other.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM scheduler_run")
        return int(cursor.fetchone()[0])


def backend() -> LedgerBackend:
    found = task_backends["default"]
    assert isinstance(found, LedgerBackend)
    return found


class TestTheBackend:
    def test_supports_everything(self) -> None:
        assert backend().supports_defer
        assert backend().supports_async_task
        assert backend().supports_get_result
        assert backend().supports_priority

    def test_has_its_alias_and_options(self) -> None:
        assert backend().alias == "default"
        assert backend().options == {}

    def test_passes_its_checks(self) -> None:
        assert [found for found in backend().check() if "sample_app" not in found.msg] == []


class TestEnqueueing:
    @pytest.mark.parametrize("task", [sample.noop, sample.noop_async], ids=["sync", "async"])
    def test_returns_a_result_that_is_ready(self, task: Any, django_assert_num_queries: Any) -> None:
        with received(task_enqueued) as signals, django_assert_num_queries(1):
            result = task.enqueue(1, two=3)
        assert uuid.UUID(result.id).version == 7
        assert result.status == TaskResultStatus.READY
        assert result.is_finished is False
        assert result.enqueued_at is not None
        assert (result.started_at, result.last_attempted_at, result.finished_at) == (None, None, None)
        with pytest.raises(ValueError, match="Task has not finished yet"):
            _ = result.return_value
        assert result.task == task
        assert (result.args, result.kwargs, result.attempts) == ([1], {"two": 3}, 0)
        assert signals == [(LedgerBackend, result)]

    def test_from_async_code_does_the_same(self) -> None:
        async def enqueue() -> Any:
            return await sample.noop_async.aenqueue(1, two=3)

        with received(task_enqueued) as signals:
            result = in_a_loop(enqueue())
        assert result.status == TaskResultStatus.READY
        assert (result.args, result.kwargs) == ([1], {"two": 3})
        assert signals == [(LedgerBackend, result)]

    def test_is_part_of_the_callers_transaction(self) -> None:
        with transaction.atomic():
            result = sample.noop.enqueue()
            assert result.enqueued_at is not None
            assert Run.objects.count() == 1
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
                assert cursor.fetchone() == (True,)
            transaction.set_rollback(True)
        assert Run.objects.count() == 0
        with pytest.raises(TaskResultDoesNotExist):
            backend().get_result(result.id)

    def test_refuses_a_queue_that_the_backend_does_not_have(self) -> None:
        with pytest.raises(InvalidTask, match="Queue 'unknown' is not valid for backend"):
            sample.noop.using(queue_name="unknown").enqueue()

    @pytest.mark.parametrize("priority", [-101, 101, 3.1])
    def test_refuses_a_priority_out_of_range(self, priority: float) -> None:
        with pytest.raises(InvalidTask, match="priority must be a whole number between -100 and 100"):
            sample.noop.using(priority=priority)

    @pytest.mark.parametrize("priority", [-100, 0, 100])
    def test_keeps_a_priority(self, priority: int) -> None:
        result = sample.noop.using(priority=priority).enqueue()
        assert Run.objects.get().priority == priority
        assert backend().get_result(result.id).task.priority == priority

    def test_refuses_arguments_that_are_not_json(self) -> None:
        with pytest.raises(TypeError, match="Unsupported type"):
            sample.noop.enqueue(object())
        assert Run.objects.count() == 0

    def test_refuses_a_function_that_is_not_at_the_top_of_a_module(self) -> None:
        def inner() -> None: ...

        with pytest.raises(InvalidTask, match="module level"):
            Task(func=inner, priority=0, backend="default", queue_name="default", run_after=None)

    def test_logs_the_id(self, caplog: pytest.LogCaptureFixture) -> None:
        with logged(caplog):
            result = sample.noop.enqueue()
        told = [record.getMessage() for record in caplog.records if "enqueued" in record.getMessage()]
        assert told
        assert all(result.id in line for line in told)

    def test_is_seen_by_others_when_the_caller_commits(self) -> None:
        other = connection.copy()
        try:
            with transaction.atomic():
                sample.noop.enqueue()
                assert count_of_runs(other) == 0
            assert count_of_runs(other) == 1
        finally:
            other.close()

    def test_checks_a_task_again_that_was_made_under_other_settings(self, settings: Any) -> None:
        task = sample.noop.using(queue_name="bulk")
        settings.TASKS = {"default": {**settings.TASKS["default"], "QUEUES": ["default"]}}
        with pytest.raises(InvalidTask, match="Queue 'bulk' is not valid for backend"):
            task.enqueue()
        with pytest.raises(InvalidTask, match="Queue 'bulk' is not valid for backend"):
            in_a_loop(task.aenqueue())
        assert Run.objects.count() == 0

    def test_refuses_arguments_that_are_not_json_from_async_code_too(self) -> None:
        with pytest.raises(TypeError, match="Unsupported type"):
            in_a_loop(sample.noop.aenqueue(timezone.now()))
        assert Run.objects.count() == 0


class TestEnqueueingMany:
    def test_is_one_statement(self, django_assert_num_queries: Any) -> None:
        calls = [(sample.add, [number], {"second": 1}) for number in range(50)]
        with received(task_enqueued) as signals, django_assert_num_queries(1):
            results = backend().enqueue_many(calls)
        assert [result.args for result in results] == [[number] for number in range(50)]
        assert [result for _, result in signals] == results
        assert Run.objects.count() == 50

    def test_enqueues_none_of_them_if_one_cannot_be(self) -> None:
        with pytest.raises(TypeError):
            backend().enqueue_many([(sample.noop, [], {}), (sample.noop, [object()], {})])
        assert Run.objects.count() == 0

    def test_of_nothing_does_nothing(self) -> None:
        assert backend().enqueue_many([]) == []


class TestAResult:
    def test_is_the_same_wherever_it_is_read(self, django_assert_num_queries: Any) -> None:
        result = sample.noop.using(queue_name="mail", priority=7).enqueue(1)
        with django_assert_num_queries(1):
            found = backend().get_result(result.id)
        assert found == result
        assert in_a_loop(backend().aget_result(result.id)) == result

    @pytest.mark.parametrize("result_id", ["123", "00000000-0000-7000-8000-000000000000", ""])
    def test_that_does_not_exist_is_reported(self, result_id: str) -> None:
        with pytest.raises(TaskResultDoesNotExist):
            backend().get_result(result_id)
        with pytest.raises(TaskResultDoesNotExist):
            in_a_loop(backend().aget_result(result_id))

    def test_of_another_task_is_refused(self) -> None:
        result = sample.noop.enqueue()
        with pytest.raises(Exception, match=r"Task does not match|received") as raised:
            sample.meaning_of_life.get_result(result.id)
        assert type(raised.value).__name__ == "TaskResultMismatch"
        assert sample.noop.get_result(result.id).id == result.id

    def test_can_be_refreshed(self, finish: Finish) -> None:
        result = sample.meaning_of_life.enqueue()
        assert result.status == TaskResultStatus.READY
        finish(result)
        assert result.started_at >= result.enqueued_at
        assert result.finished_at >= result.started_at
        assert result.last_attempted_at == result.started_at
        assert result.status == TaskResultStatus.SUCCESSFUL
        assert (result.return_value, result.attempts) == (42, 1)

    def test_can_be_refreshed_from_async_code(self, finish: Finish) -> None:
        result = sample.meaning_of_life.enqueue()
        finish(sample.meaning_of_life.get_result(result.id))
        in_a_loop(result.arefresh())
        assert result.return_value == 42

    def test_is_refreshed_to_the_same_when_nothing_happened(self) -> None:
        result = sample.noop.enqueue()
        before = dataclasses.asdict(result)
        result.refresh()
        assert dataclasses.asdict(result) == before
        in_a_loop(result.arefresh())
        assert dataclasses.asdict(result) == before

    def test_of_a_task_that_is_not_registered_here_imports_nothing(self) -> None:
        result = sample.noop.enqueue()
        Run.objects.update(task="subprocess.check_output")
        with pytest.raises(UnknownTask, match=r"subprocess\.check_output"):
            backend().get_result(result.id)

    def test_keeps_no_time_to_run_after_if_none_was_given(self, settings: Any) -> None:
        result = sample.noop.enqueue()
        for settings.USE_TZ in (True, False):
            assert backend().get_result(result.id).task.run_after is None


class TestRunning:
    @pytest.mark.parametrize("task", [sample.noop, sample.noop_async], ids=["sync", "async"])
    def test_ends_as_successful(self, task: Any, finish: Finish) -> None:
        result = finish(task.enqueue(1, two=3))
        assert result.status == TaskResultStatus.SUCCESSFUL
        assert result.return_value is None
        assert (result.attempts, result.errors) == (1, [])

    @pytest.mark.parametrize(
        ("task", "exception"),
        [
            (sample.fail_with_value_error, ValueError),
            (sample.fail_with_system_exit, SystemExit),
            (sample.fail_with_keyboard_interrupt, KeyboardInterrupt),
        ],
        ids=["ValueError", "SystemExit", "KeyboardInterrupt"],
    )
    def test_keeps_the_exception(self, task: Any, exception: type[BaseException], finish: Finish) -> None:
        result = finish(task.enqueue())
        assert result.status == TaskResultStatus.FAILED
        with pytest.raises(ValueError, match="Task failed"):
            _ = result.return_value
        assert result.errors[0].exception_class is exception
        assert result.errors[0].traceback.endswith(
            f"{exception.__name__}: This Task failed due to {exception.__name__}\n"
        )
        assert result.finished_at >= result.started_at >= result.enqueued_at

    def test_keeps_a_complex_exception(self, finish: Finish) -> None:
        result = finish(sample.complex_exception.enqueue())
        assert result.errors[0].exception_class is ValueError
        assert 'ValueError(ValueError("This task failed"))' in result.errors[0].traceback

    @pytest.mark.parametrize(("path", "refusal"), [("subprocess.run", ValueError), ("does.not.exist", ImportError)])
    def test_names_an_exception_that_is_none_here(self, path: str, refusal: type[Exception], finish: Finish) -> None:
        result = finish(sample.fail_with_value_error.enqueue())
        Run.objects.update(error=f"{path.rpartition('.')[2]}: odd", traceback=f"{path}: odd\n")
        result.refresh()
        assert result.errors[0].exception_class_path == path
        with pytest.raises(refusal):
            _ = result.errors[0].exception_class

    def test_fails_if_the_result_is_not_json(self, finish: Finish) -> None:
        result = finish(sample.complex_return_value.enqueue())
        assert result.status == TaskResultStatus.FAILED
        assert result.errors[0].exception_class is TypeError
        assert "Unsupported type" in result.errors[0].traceback

    def test_fails_if_the_arguments_do_not_fit(self, finish: Finish) -> None:
        result = finish(sample.meaning_of_life.enqueue("surplus"))
        assert result.errors[0].exception_class is TypeError

    def test_gives_the_arguments_as_they_are_in_json(self, finish: Finish) -> None:
        assert finish(sample.add.enqueue(1.5, second=2)).return_value == 3.5

    def test_waits_until_run_after(self, node: Node, finish: Finish) -> None:
        later = sample.noop.using(run_after=timezone.now() + timedelta(hours=10)).enqueue()
        sooner = sample.noop.using(run_after=timezone.now() + timedelta(seconds=0.3)).enqueue()
        finish(sooner)
        assert sooner.started_at >= sooner.task.run_after
        later.refresh()
        assert later.status == TaskResultStatus.READY
        assert later.task.run_after - later.enqueued_at > timedelta(hours=9)

    def test_begins_with_the_highest_priority_then_the_oldest(self) -> None:
        wanted = [sample.noop.using(priority=priority).enqueue() for priority in (-2, 20, 0, 20, 2)]
        one_thread = make_node(threads=1)
        with received(task_started) as started:
            try:
                work(one_thread, until=lambda: not Run.objects.filter(finished_at=None).exists())
            finally:
                one_thread.stop(grace_seconds=0.1)
        assert [found.id for _, found in started] == [wanted[place].id for place in (1, 3, 4, 2, 0)]

    def test_gives_the_context_to_tasks_that_take_it(self, finish: Finish) -> None:
        result = finish(sample.get_result_id.enqueue())
        assert result.return_value == result.id

    def test_gives_a_context_with_the_result_as_it_is(self, finish: Finish) -> None:
        result = finish(sample.describe_context.enqueue(1, two=3))
        assert result.return_value == {
            "status": "RUNNING",
            "attempt": 1,
            "args": [1],
            "kwargs": {"two": 3},
            "task": sample.describe_context.module_path,
            "is_started": True,
            "is_finished": False,
        }

    def test_sends_started_and_finished(self, finish: Finish) -> None:
        with received(task_started) as started, received(task_finished) as finished:
            result = finish(sample.meaning_of_life.enqueue())
            wait_until(lambda: bool(finished))
        assert [(sender, found.id, found.status) for sender, found in started] == [
            (LedgerBackend, result.id, TaskResultStatus.RUNNING)
        ]
        assert [(sender, found.id, found.status) for sender, found in finished] == [
            (LedgerBackend, result.id, TaskResultStatus.SUCCESSFUL)
        ]
        assert finished[0][1].return_value == 42

    def test_sends_finished_for_a_run_that_is_cancelled_before_it_begins(self) -> None:
        result = sample.meaning_of_life.enqueue()
        with received(task_finished) as finished:
            with transaction.atomic():
                runs.cancel(run=Run.objects.get())
                assert not finished
            assert [(found.id, found.status) for _, found in finished] == [(result.id, TaskResultStatus.FAILED)]
            assert finished[0][1].errors[0].exception_class is outcomes.RunCancelled

    def test_sends_finished_for_runs_that_are_cancelled_together(self) -> None:
        results = [sample.meaning_of_life.enqueue() for _ in range(3)]
        with received(task_finished) as finished:
            runs.cancel_queued(ids=list(Run.objects.values_list("pk", flat=True)))
        assert [found.id for _, found in finished] == [result.id for result in results]

    def test_sends_finished_for_a_run_that_expires(self, node: Node) -> None:
        result = sample.expiring.enqueue()
        Run.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        with received(task_finished) as finished:
            work(node, until=lambda: bool(finished))
        assert [(found.id, found.errors[0].exception_class) for _, found in finished] == [
            (result.id, outcomes.RunExpired)
        ]

    def test_sends_finished_for_a_run_whose_node_is_gone(self) -> None:
        result = sample.meaning_of_life.enqueue()
        Run.objects.update(node=uuid.uuid4(), state="running", started_at=timezone.now())
        with received(task_finished) as finished:
            reaper = make_node(heartbeat_seconds=0.2, lease_seconds=0.8, reap_after_seconds=1.0)
            try:
                work(reaper, until=lambda: bool(finished))
            finally:
                reaper.stop(grace_seconds=0.1)
        assert [(found.id, found.errors[0].exception_class) for _, found in finished] == [
            (result.id, outcomes.RunInterrupted)
        ]

    @pytest.mark.parametrize(
        ("task", "end"), [(sample.noop, "SUCCESSFUL"), (sample.fail_with_value_error, "FAILED")], ids=["noop", "fail"]
    )
    def test_logs_the_id_and_the_state(
        self, task: Any, end: str, finish: Finish, caplog: pytest.LogCaptureFixture
    ) -> None:
        with logged(caplog), received(task_finished) as finished:
            result = finish(task.enqueue())
            wait_until(lambda: bool(finished))
        told = [line for line in caplog.text.splitlines() if f"id={result.id}" in line and "state=" in line]
        # The backport passes its lines on, so that they are caught twice.
        assert list(dict.fromkeys(line.rpartition("state=")[2] for line in told)) == ["RUNNING", end]
        assert "NoneType: None" not in caplog.text or end == "FAILED"
        ends = [record for record in caplog.records if record.getMessage().endswith(f"state={end}")]
        assert {record.levelname for record in ends} == {"ERROR" if end == "FAILED" else "INFO"}

    def test_survives_a_receiver_that_fails(self, finish: Finish) -> None:
        def fail(**_: Any) -> None:
            raise OSError("a receiver")

        task_started.connect(fail)
        task_finished.connect(fail)
        try:
            assert finish(sample.meaning_of_life.enqueue()).return_value == 42
        finally:
            task_started.disconnect(fail)
            task_finished.disconnect(fail)


class TestAttempts:
    def test_are_folded_into_one_result(self, finish: Finish) -> None:
        with received(task_finished) as finished:
            result = finish(sample.fail_twice.enqueue())
            wait_until(lambda: bool(finished))
        assert result.status == TaskResultStatus.SUCCESSFUL
        assert (result.return_value, result.attempts) == (3, 3)
        assert [error.exception_class for error in result.errors] == [OSError, OSError]
        assert [error.traceback.splitlines()[-1] for error in result.errors] == [
            "OSError: attempt 1",
            "OSError: attempt 2",
        ]
        assert len(result.worker_ids) == 3
        assert result.last_attempted_at > result.started_at
        assert [found.id for _, found in finished] == [result.id]

    def test_are_counted_in_the_context(self, finish: Finish) -> None:
        assert finish(sample.get_attempt.enqueue(most=3)).return_value == 3

    def test_that_time_out_say_so(self, finish: Finish) -> None:
        result = finish(sample.sleep_long.enqueue())
        assert result.status == TaskResultStatus.FAILED
        assert result.errors[0].exception_class is outcomes.RunTimedOut

    def test_that_are_cancelled_say_so(self) -> None:
        from scheduler.services import runs

        result = sample.noop.enqueue()
        runs.cancel(run=Run.objects.get(), actor="ada")
        result.refresh()
        assert result.status == TaskResultStatus.FAILED
        assert result.errors[0].exception_class is outcomes.RunCancelled
        assert "ada" in result.errors[0].traceback

    def test_that_skip_had_nothing_to_do(self, finish: Finish) -> None:
        result = finish(sample.skip.enqueue())
        assert result.status == TaskResultStatus.SUCCESSFUL
        assert result.return_value is None


class TestPolicies:
    @pytest.mark.skipif(not PASSES_POLICIES_ON, reason="The decorator of this Django takes no policies.")
    def test_are_arguments_of_the_decorator(self) -> None:
        task = sample.task(
            timeout=60,
            max_retries=5,
            retry_delay=timedelta(seconds=10),
            executor="processpool",
            idempotent=True,
            unique="sum:{first}",
            expires=timedelta(hours=1),
        )(sample.add.func)
        first = task.enqueue(1)
        assert task.enqueue(1, second=2).id == first.id
        stored = Run.objects.get()
        assert (stored.timeout, stored.executor) == (60, "processpool@default")
        assert stored.expires_at == stored.created_at + timedelta(hours=1)
        assert stored.policies is not None
        kept = {name: stored.policies[name] for name in ("max_retries", "retry_delay", "rerun_if_interrupted")}
        assert kept == {"max_retries": 5, "retry_delay": 10, "rerun_if_interrupted": True}

    def test_of_the_settings_overrule_those_of_the_code(self, settings: Any, finish: Finish) -> None:
        path = sample.fail_twice.module_path
        settings.TASKS = {
            "default": {**settings.TASKS["default"], "OPTIONS": {"TASKS": {path: {"max_retries": 0, "timeout": 5}}}}
        }
        result = finish(sample.fail_twice.enqueue())
        assert (result.status, result.attempts) == (TaskResultStatus.FAILED, 1)
        assert Run.objects.get().timeout == 5


class TestAUniqueTask:
    def test_gives_the_result_of_the_run_that_waits(self) -> None:
        with received(task_enqueued) as signals:
            first, second = sample.unique_by_arguments.enqueue(1), sample.unique_by_arguments.enqueue(1)
            other = sample.unique_by_arguments.enqueue(2)
        assert second.id == first.id != other.id
        assert [found.id for _, found in signals] == [first.id, other.id]

    def test_is_free_again_when_its_run_has_ended(self, finish: Finish) -> None:
        first = finish(sample.unique_by_arguments.enqueue(1))
        assert sample.unique_by_arguments.enqueue(1).id != first.id

    def test_compares_the_key_that_it_names(self) -> None:
        first = sample.unique_by_key.enqueue(user=1, note="a")
        assert sample.unique_by_key.enqueue(user=1, note="b").id == first.id
        assert sample.unique_by_key.enqueue(user=2, note="a").id != first.id

    def test_is_compared_within_one_statement_too(self) -> None:
        results = backend().enqueue_many([(sample.unique_by_arguments, [1], {})] * 3)
        assert len({result.id for result in results}) == 1
        assert Run.objects.count() == 1


class TestAnExpiringTask:
    def test_is_missed_when_it_has_not_begun_in_time(self, finish: Finish) -> None:
        result = sample.expiring.enqueue()
        Run.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        finish(result)
        assert result.status == TaskResultStatus.FAILED
        assert result.errors[0].exception_class is outcomes.RunExpired
        assert Run.objects.get().state == "missed"
        assert Run.objects.get().reason_code == "expired"

    def test_runs_before_that(self, finish: Finish) -> None:
        assert finish(sample.expiring.enqueue()).status == TaskResultStatus.SUCCESSFUL


class TestSecrets:
    def test_are_sealed_and_masked(self, finish: Finish) -> None:
        result = sample.whisper.enqueue(token="hush-hush-hush")
        assert "hush" not in str(Run.objects.values())
        finish(result)
        stored = Run.objects.get()
        assert result.kwargs == {"token": "•••"}
        assert "hush" not in f"{result.return_value} {stored.log} {stored.kwargs} {stored.result}"
        assert stored.log


class TestABackendWithoutQueues:
    def test_takes_any(self, settings: Any) -> None:
        settings.TASKS = {"default": {"BACKEND": "scheduler.contrib.django_tasks.LedgerBackend", "QUEUES": []}}
        result = sample.noop.using(queue_name="anything").enqueue()
        assert Run.objects.get().queue == "anything"
        assert Run.objects.get().executor == "default@anything"
        assert result.task.queue_name == "anything"
