"""System checks of ``LedgerBackend``: settings and policies that cannot be used, and tasks that nodes do not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning

from scheduler.contrib.django_tasks.task_policies import NAMES
from scheduler.core.queues import tracks
from scheduler.core.queues.policies import Policies
from scheduler.errors import InvalidPolicy, InvalidQueue

if TYPE_CHECKING:
    from scheduler.contrib.django_tasks.backend import LedgerBackend

_OPTIONS = ("TASKS",)


def of_backend(backend: LedgerBackend) -> list[CheckMessage]:
    """Return what is wrong with a backend, by the name of its setting and the value."""
    return [*_app(backend), *_queues(backend), *_options(backend), *_unknown_to_nodes(backend)]


def _app(backend: LedgerBackend) -> Iterator[CheckMessage]:
    if not apps.is_installed("scheduler"):
        yield Error(
            f"TASKS[{backend.alias!r}] is LedgerBackend, and its app is not installed.",
            hint="Add 'scheduler', 'django_apscheduler' and 'knox' to INSTALLED_APPS.",
            id="scheduler.E008",
        )


def _queues(backend: LedgerBackend) -> Iterator[CheckMessage]:
    for name in sorted(backend.queues, key=str):
        try:
            tracks.checked_name(name)
        except InvalidQueue as error:
            yield Error(f"TASKS[{backend.alias!r}]['QUEUES']: {error}", id="scheduler.E009")


def _options(backend: LedgerBackend) -> Iterator[CheckMessage]:
    where = f"TASKS[{backend.alias!r}]['OPTIONS']"
    for name in sorted(set(backend.options) - set(_OPTIONS), key=str):
        yield Error(f"{where} has the unknown key {name!r}.", hint="It takes TASKS.", id="scheduler.E010")
    declared = backend.options.get("TASKS", {})
    if not isinstance(declared, dict):
        yield Error(f"{where}['TASKS'] is {declared!r}. It must be a dict by module path.", id="scheduler.E010")
        return
    known = {task.module_path for task in _tasks(backend)}
    for path, policies in sorted(declared.items()):
        yield from _policies(f"{where}['TASKS'][{path!r}]", policies)
        if path not in known:
            yield Warning(f"{where}['TASKS'] names {path!r}, which is not a task of this backend.", id="scheduler.W010")


def _policies(where: str, policies: Any) -> Iterator[CheckMessage]:
    unknown = sorted(set(policies) - set(NAMES)) if isinstance(policies, dict) else [repr(policies)]
    if unknown:
        yield Error(f"{where}: {', '.join(unknown)} is unknown.", hint=f"{', '.join(NAMES)}.", id="scheduler.E010")
        return
    try:
        Policies(**policies)
    except InvalidPolicy as error:
        yield Error(f"{where}: {error}", id="scheduler.E010")


def _unknown_to_nodes(backend: LedgerBackend) -> Iterator[CheckMessage]:
    """Nodes import the modules ``tasks`` of apps and those of ``TASK_MODULES``, and what these import."""
    from scheduler import conf

    loaded = {f"{config.name}.tasks" for config in apps.get_app_configs()} | set(conf.get().task_modules)
    for task in _tasks(backend):
        module = task.func.__module__
        if not any(module == name or module.startswith(f"{name}.") for name in loaded):
            yield Warning(
                f"Nodes may not know the task “{task.module_path}”: they load tasks.py of each app.",
                hint=f"Move it to tasks.py, import {module} there, or name it in SCHEDULER['TASK_MODULES'].",
                id="scheduler.W011",
            )


def _tasks(backend: LedgerBackend) -> list[Any]:
    if not apps.is_installed("scheduler"):
        return []
    from scheduler.contrib.django_tasks.registration import found

    return [task for task in found() if task.backend == backend.alias]
