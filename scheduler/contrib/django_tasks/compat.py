"""The names of ``django.tasks``, from Django 6 or from the backport."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or find_spec("django.tasks") is not None:
    from django.tasks import TaskContext, TaskResult, TaskResultStatus, task_backends
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import Task, TaskError
    from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
    from django.tasks.signals import task_enqueued, task_finished, task_started
    from django.utils.json import normalize_json
else:
    from django_tasks import TaskContext, TaskResult, TaskResultStatus, task_backends
    from django_tasks.backends.base import BaseTaskBackend
    from django_tasks.base import Task, TaskError
    from django_tasks.exceptions import InvalidTaskError as InvalidTask
    from django_tasks.exceptions import TaskResultDoesNotExist
    from django_tasks.signals import task_enqueued, task_finished, task_started
    from django_tasks.utils import normalize_json

_PLAIN = frozenset((str, int, float, bool, type(None)))


def as_json(value: Any) -> Any:
    """
    Return what ``normalize_json`` does, at once for a flat list or object of plain values, as most arguments are.

    :raises TypeError: JSON cannot hold it
    """
    if type(value) in (tuple, list) and _PLAIN.issuperset(map(type, value)):
        return list(value)
    if type(value) is dict and _PLAIN.issuperset(map(type, value.values())) and all(type(key) is str for key in value):
        return dict(value)
    return normalize_json(value)


__all__ = [
    "BaseTaskBackend",
    "InvalidTask",
    "Task",
    "TaskContext",
    "TaskError",
    "TaskResult",
    "TaskResultDoesNotExist",
    "TaskResultStatus",
    "as_json",
    "normalize_json",
    "task_backends",
    "task_enqueued",
    "task_finished",
    "task_started",
]
