"""The task of ours that other backends run for each ring: it asks the start gate, and ends when the body has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scheduler.contrib.django_tasks.compat import task_backends
from scheduler.remote.executors import Ring

_QUEUE = "default"


def task_of(alias: str) -> Any:
    """
    Return the task for a backend.

    :raises Exception: what the backend raises for a task that it does not take
    """
    return _made(run.func, alias)


def _made(function: Callable[..., Any], alias: str) -> Any:
    backend = task_backends[alias]
    queue = _QUEUE if not backend.queues or _QUEUE in backend.queues else min(backend.queues)
    return backend.task_class(func=function, priority=0, backend=alias, queue_name=queue, takes_context=True)


def _of_any_backend(function: Callable[..., Any]) -> Any:
    """Make the task that workers import by its name. They give it their own backend."""
    return _made(function, next(iter(task_backends.settings)))


@_of_any_backend
def run(context: Any, *, run: int, attempt: int, ring: int) -> None:
    """Begin one attempt of a run of the ledger here, if it still waits."""
    from scheduler.contrib.django_tasks import hosting

    hosting.answer(Ring(run=run, attempt=attempt, ring=ring), alias=context.task_result.backend)
