"""Every task of ``django.tasks`` is a task of ours as well, under its module path, whatever its backend is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from django.apps import apps

from scheduler.contrib.django_tasks.adapter import adapter_of
from scheduler.contrib.django_tasks.compat import Task
from scheduler.contrib.django_tasks.results import MASK
from scheduler.core.tasks.registry import registry
from scheduler.core.tasks.task import Task as OurTask
from scheduler.errors import UnknownTask


def register(task: Any) -> OurTask:
    """
    Register a Django task, or return what is registered for it.

    :raises DuplicateTask: another function has its module path as its name
    :raises InvalidPolicy, TypeError: a policy of it cannot be used
    """
    try:
        present = registry.get(task.module_path)
    except UnknownTask:
        present = None
    if present is not None and present.adapter is not None and present.function is task.func:
        return present
    adapter = adapter_of(task)
    policies = adapter.policies
    return registry.add(
        OurTask(
            name=task.module_path,
            function=task.func,
            executor=policies.executor,
            timeout=policies.timeout_delta,
            idempotent=policies.idempotent,
            adapter=adapter,
        )
    )


def without_secrets(task: OurTask, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a task as its results show them."""
    secrets = task.secrets
    if not secrets:
        return args, kwargs
    return (
        [MASK if name in secrets else value for name, value in zip(task.names_of(args), args, strict=True)],
        {name: MASK if name in secrets else value for name, value in kwargs.items()},
    )


def register_all() -> None:
    """Register the Django tasks of all modules of installed apps that are loaded."""
    for task in found():
        register(task)


def found() -> Iterator[Any]:
    """Return the tasks that loaded modules of installed apps define, without the one that rings are."""
    names = tuple(config.name for config in apps.get_app_configs() if config.name != "scheduler")
    for name, module in sorted(sys.modules.items()):
        if any(name == app or name.startswith(f"{app}.") for app in names):
            for value in list(vars(module).values()):
                if isinstance(value, Task) and value.func.__module__ == name:
                    yield value
