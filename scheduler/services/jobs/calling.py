"""Further argument types that the services of jobs and runs accept from Python, and their names for async code."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async

from scheduler.core.definition import PolicyValues
from scheduler.core.tasks.registry import registry

P = ParamSpec("P")
Result = TypeVar("Result")

TaskOrName = str | Callable[..., Any]
"""A function with ``@task``, or the name of one."""


class Stated(PolicyValues, total=False):
    """What a declaration in code may state beside its task and its trigger."""

    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    name: str
    description: str
    tags: Sequence[str]


class Definition(Stated, total=False):
    """The parts of a definition that an edit may change."""

    task: TaskOrName
    trigger: Mapping[str, Any]


def task_name(task: TaskOrName) -> str:
    """
    Return the name under which a task is stored.

    :raises UnknownTask: the function is not a task
    """
    return task if isinstance(task, str) else registry.name_of(task)


def asynchronous(function: Callable[P, Result]) -> Callable[P, Coroutine[Any, Any, Result]]:
    """Return the function for async code: it runs in Django's thread for synchronous code."""

    @wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> Result:
        return await sync_to_async(function)(*args, **kwargs)

    call.__name__ = call.__qualname__ = f"a{function.__name__}"
    return call
