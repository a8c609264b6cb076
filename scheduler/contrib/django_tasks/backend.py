"""``LedgerBackend``: enqueued tasks are runs in the ledger, which any node may take."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from asgiref.sync import sync_to_async
from django.core.checks import CheckMessage

from scheduler.contrib.django_tasks import system_checks
from scheduler.contrib.django_tasks.compat import (
    BaseTaskBackend,
    InvalidTask,
    TaskResult,
    TaskResultDoesNotExist,
    TaskResultStatus,
    as_json,
    task_enqueued,
)
from scheduler.contrib.django_tasks.task_policies import LedgerTask, policies_of
from scheduler.errors import InvalidPolicy

if TYPE_CHECKING:
    from scheduler.core.queues.policies import Policies
    from scheduler.core.tasks.task import Task
    from scheduler.services.runs.enqueueing import Call, Enqueued

TaskCall = tuple[Any, Sequence[Any], Mapping[str, Any]]
"""A task, its positional arguments, and those by name."""


class _Known(NamedTuple):
    """A task of Django's as the scheduler has it."""

    task: Task
    policies: Policies
    priority: int


class LedgerBackend(BaseTaskBackend):
    """
    Enqueues in the caller's transaction: a run is seen, and nodes are woken, when that commits.

    ``QUEUES`` are the queues that tasks may name, any without it being empty. ``OPTIONS["TASKS"]`` declares policies by
    the module path of a task.
    """

    task_class = LedgerTask
    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def validate_task(self, task: Any) -> None:
        """:raises InvalidTask: as Django does, and where a policy cannot be used"""
        super().validate_task(task)
        self._policies(task)

    def enqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> TaskResult:
        return self.enqueue_many([(task, args, kwargs)])[0]

    async def aenqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> TaskResult:
        results = await sync_to_async(self._write, thread_sensitive=True)([(task, args, kwargs)])
        for result, is_new in results:
            if is_new:
                await task_enqueued.asend(type(self), task_result=result)
        return results[0][0]

    def enqueue_many(self, calls: Iterable[TaskCall]) -> list[TaskResult]:
        """
        Enqueue many calls in one statement and return their results in order: ``[(task, args, kwargs), …]``.

        Each gets its signal. A call whose unique key waits or runs already gets the result of that run.

        :raises InvalidTask, InvalidArguments, TypeError: no call was enqueued
        """
        results = self._write(list(calls))
        for result, is_new in results:
            if is_new:
                task_enqueued.send(type(self), task_result=result)
        return [result for result, _ in results]

    def get_result(self, result_id: str) -> TaskResult:
        from scheduler.contrib.django_tasks.results import fold
        from scheduler.services.runs import enqueueing

        try:
            public_id = uuid.UUID(str(result_id))
        except ValueError:
            raise TaskResultDoesNotExist(result_id) from None
        attempts = enqueueing.attempts(public_id=public_id)
        if not attempts:
            raise TaskResultDoesNotExist(result_id)
        return fold(attempts, alias=self.alias)

    def check(self, **_facts: Any) -> list[CheckMessage]:
        """Report settings and policies that cannot be used, and tasks that nodes would not know."""
        return system_checks.of_backend(self)

    def _write(self, calls: Sequence[TaskCall]) -> list[tuple[TaskResult, bool]]:
        """Enqueue, and return each result with whether it is new."""
        from scheduler.contrib.django_tasks.registration import without_secrets
        from scheduler.services.runs import enqueueing

        plain: list[tuple[Any, Any, Any]] = [(task, as_json(args), as_json(kwargs)) for task, args, kwargs in calls]
        known = {id(task): self._known(task) for task in {id(task): task for task, _, _ in calls}.values()}
        answers = enqueueing.enqueue_many(
            calls=[self._call(task, args, kwargs, known[id(task)]) for task, args, kwargs in plain]
        )
        return [
            (self._result(task, *without_secrets(known[id(task)].task, args, kwargs), answer), answer.is_new)
            for (task, args, kwargs), answer in zip(plain, answers, strict=True)
        ]

    def _policies(self, task: Any) -> Policies:
        try:
            return policies_of(task, options=self.options)
        except (InvalidPolicy, TypeError) as error:
            raise InvalidTask(str(error)) from error

    def _known(self, task: Any) -> _Known:
        """Return what all calls of a task have in common."""
        from scheduler.contrib.django_tasks.registration import register

        super().validate_task(task)
        return _Known(register(task), self._policies(task), int(task.priority))

    def _call(self, task: Any, args: list[Any], kwargs: dict[str, Any], known: _Known) -> Call:
        from scheduler.services.runs.enqueueing import Call

        return Call(
            task=known.task.name,
            args=args,
            kwargs=kwargs,
            queue=task.queue_name,
            priority=known.priority,
            run_after=task.run_after,
            policies=known.policies,
            is_checked=False,
        )

    def _result(self, task: Any, args: list[Any], kwargs: dict[str, Any], answer: Enqueued) -> TaskResult:
        if not answer.is_new:
            return self.get_result(str(answer.public_id))
        return TaskResult(
            task=task,
            id=str(answer.public_id),
            status=TaskResultStatus.READY,
            enqueued_at=answer.enqueued_at,
            started_at=None,
            finished_at=None,
            last_attempted_at=None,
            args=args,
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )
