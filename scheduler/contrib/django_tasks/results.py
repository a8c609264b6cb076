"""A ``TaskResult`` of the attempts in the ledger: retries and recoveries are folded into one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scheduler.contrib.django_tasks import outcomes
from scheduler.contrib.django_tasks.compat import Task, TaskError, TaskResult, TaskResultStatus
from scheduler.core.states import RunState
from scheduler.core.tasks.registry import registry
from scheduler.sealing import is_sealed

if TYPE_CHECKING:
    from scheduler.models import Run

_STATUS = {
    RunState.QUEUED: TaskResultStatus.READY,
    RunState.RUNNING: TaskResultStatus.RUNNING,
    RunState.SUCCEEDED: TaskResultStatus.SUCCESSFUL,
    RunState.SKIPPED: TaskResultStatus.SUCCESSFUL,
}
"""Of the newest attempt. Every other state is a failure. A task that raised ``Skip`` had nothing to do."""

_STANDS_FOR = {
    RunState.TIMED_OUT: outcomes.RunTimedOut,
    RunState.CANCELLED: outcomes.RunCancelled,
    RunState.INTERRUPTED: outcomes.RunInterrupted,
    RunState.MISSED: outcomes.RunExpired,
}

MASK = "•••"
"""Stands for a secret argument."""


def status_of(state: str) -> TaskResultStatus:
    return _STATUS.get(RunState(state), TaskResultStatus.FAILED)


def fold(attempts: Sequence[Run], *, alias: str) -> TaskResult:
    """
    Return the result of an enqueued run. ``attempts``: all of them, the first one first.

    :raises UnknownTask: its task is not registered here
    """
    first, last = attempts[0], attempts[-1]
    begun = [run for run in attempts if run.started_at is not None]
    status = status_of(last.state)
    result: TaskResult[Any, Any] = TaskResult(
        task=_task_of(first, alias=alias),
        id=str(first.public_id or first.pk),
        status=status,
        enqueued_at=first.created_at,
        started_at=begun[0].started_at if begun else None,
        finished_at=last.finished_at,
        last_attempted_at=begun[-1].started_at if begun else None,
        args=[shown(value) for value in first.args],
        kwargs={name: shown(value) for name, value in first.kwargs.items()},
        backend=alias,
        errors=[error for run in attempts if (error := _error_of(run)) is not None],
        worker_ids=[str(run.node) for run in begun if run.node is not None],
    )
    if status == TaskResultStatus.SUCCESSFUL:
        object.__setattr__(result, "_return_value", last.result)
    return result


def _task_of(run: Run, *, alias: str) -> Any:
    registered = registry.get(run.task)
    source = registered.adapter.source if registered.adapter is not None else None
    run_after = None if run.scheduled_at == run.created_at else run.scheduled_at
    if isinstance(source, Task):
        return source.using(priority=run.own_priority, queue_name=run.queue, run_after=run_after, backend=alias)
    return Task(
        func=registered.function,
        priority=run.own_priority,
        queue_name=run.queue,
        run_after=run_after,
        backend=alias,
        takes_context=False,
    )


def shown(value: Any) -> Any:
    """Return an argument without its secret."""
    return MASK if is_sealed(value) else value


def _error_of(run: Run) -> TaskError | None:
    if run.finished_at is None or status_of(run.state) == TaskResultStatus.SUCCESSFUL:
        return None
    told = f"{run.reason or run.error or ''}"
    stands_for = _STANDS_FOR.get(RunState(run.state))
    if stands_for is None:
        path = exception_path(error=run.error or "", traceback=run.traceback)
        return TaskError(exception_class_path=path, traceback=run.traceback or told)
    path = f"{stands_for.__module__}.{stands_for.__qualname__}"
    return TaskError(exception_class_path=path, traceback=f"{run.traceback}{path}: {told}\n")


def exception_path(*, error: str, traceback: str) -> str:
    """
    Return the dotted path of the class of an exception, from what the ledger keeps of it.

    ``error`` begins with the qualified name of the class, the last line of the traceback that names it also says its
    module. Classes of Python itself have none.
    """
    name = error.partition(":")[0].strip()
    found = re.findall(rf"^(?:[\s+|]*)((?:\w+\.)*){re.escape(name)}(?::|$)", traceback, flags=re.MULTILINE)
    return f"{found[-1] if found and found[-1] else 'builtins.'}{name}"
