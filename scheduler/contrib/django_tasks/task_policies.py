"""
The policies of a Django task: ``@task(timeout=…)`` where Django passes them on, else ``@policies(timeout=…)`` above it
or ``OPTIONS["TASKS"]``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any, TypedDict, TypeVar, Unpack

from scheduler.contrib.django_tasks.compat import Task
from scheduler.core.queues.policies import DEFAULTS, Policies

AnyTask = TypeVar("AnyTask")

_ATTRIBUTE = "__scheduler_policies__"

NAMES = tuple(field.name for field in fields(Policies))


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerTask(Task):
    """A task with the policies of the ledger, which are arguments of ``@task`` as of Django 6.1."""

    executor: str = DEFAULTS.executor
    timeout: float | timedelta | None = DEFAULTS.timeout
    max_retries: int = DEFAULTS.max_retries
    retry_delay: float | timedelta = DEFAULTS.retry_delay
    retry_backoff: float = DEFAULTS.retry_backoff
    retry_delay_cap: float | timedelta = DEFAULTS.retry_delay_cap
    retry_jitter: float = DEFAULTS.retry_jitter
    idempotent: bool = DEFAULTS.idempotent
    unique: bool | str = DEFAULTS.unique
    unique_while: str = DEFAULTS.unique_while
    expires: float | timedelta | None = DEFAULTS.expires


class PolicyArguments(TypedDict, total=False):
    """The fields of ``Policies``, as arguments."""

    executor: str
    timeout: float | timedelta | None
    max_retries: int
    retry_delay: float | timedelta
    retry_backoff: float
    retry_delay_cap: float | timedelta
    retry_jitter: float
    idempotent: bool
    unique: bool | str
    unique_while: str
    expires: float | timedelta | None


def policies(**given: Unpack[PolicyArguments]) -> Callable[[AnyTask], AnyTask]:
    """
    Declare policies of a task, above or below Django's ``@task``. The names are those of ``Policies``.

    :raises InvalidPolicy: a value cannot be used
    :raises TypeError: a name is unknown
    """
    declared = Policies(**given)

    def declare(task: AnyTask) -> AnyTask:
        setattr(getattr(task, "func", task), _ATTRIBUTE, declared)
        return task

    return declare


def policies_of(task: Any, *, options: Mapping[str, Any]) -> Policies:
    """
    Return the policies of a task: those of ``OPTIONS["TASKS"]`` before those in the code.

    :raises InvalidPolicy, TypeError: a value or a name that cannot be used
    """
    stated = getattr(task.func, _ATTRIBUTE, DEFAULTS)
    if isinstance(task, LedgerTask):
        own = {name: getattr(task, name) for name in NAMES if getattr(task, name) != getattr(DEFAULTS, name)}
        stated = _changed(stated, own)
    overruled = options.get("TASKS")
    return _changed(stated, overruled.get(task.module_path) or {}) if overruled else stated


def _changed(policies: Policies, changes: Mapping[str, Any]) -> Policies:
    if not changes:
        return policies
    try:
        return _known(policies, tuple((name, value, type(value)) for name, value in changes.items()))
    except TypeError:  # a value that cannot be hashed, or an unknown name
        return replace(policies, **changes)


@lru_cache(maxsize=1024)
def _known(policies: Policies, changes: tuple[tuple[str, Any, type], ...]) -> Policies:
    """Of a task that is enqueued often: checking its policies takes longer than writing its run. ``True`` is not 1."""
    return replace(policies, **{name: value for name, value, _ in changes})
