"""Further argument types that the services of jobs and runs accept from Python, and their names for async code."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async

from scheduler.core.definition import PolicyValues
from scheduler.core.jobs.policies import refuse_unknown
from scheduler.core.tasks.registry import registry

P = ParamSpec("P")
Result = TypeVar("Result")

TaskOrName = str | Callable[..., Any]
"""A function with ``@task``, or the name of one."""

_DETAILS = ("name", "description", "tags")


class Stated(PolicyValues, total=False):
    """The parts of a job beside its task and its trigger."""

    args: Sequence[Any] | None
    kwargs: Mapping[str, Any] | None
    name: str | None
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


def given_definition(*, task: TaskOrName, trigger: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the definition of a new job. An empty name, description or list of tags counts as left out.

    :raises InvalidPolicy: naming a part that does not exist
    :raises UnknownTask: the function is not a task
    """
    details = {name: stated[name] for name in _DETAILS if stated.get(name)}
    policies = {name: value for name, value in stated.items() if name not in ("args", "kwargs", *_DETAILS)}
    refuse_unknown(policies)
    call = {"args": stated.get("args") or (), "kwargs": stated.get("kwargs") or {}}
    return {"task": task_name(task), **call, "trigger": trigger, **details, **policies}


def asynchronous(function: Callable[P, Result]) -> Callable[P, Coroutine[Any, Any, Result]]:
    """Return the function for async code: it runs in Django's thread for synchronous code."""

    @wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> Result:
        return await sync_to_async(function)(*args, **kwargs)

    call.__name__ = call.__qualname__ = f"a{function.__name__}"
    return call
