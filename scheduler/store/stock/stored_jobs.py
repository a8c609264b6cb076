"""APScheduler's ``Job`` objects, built from our rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from apscheduler.job import Job as ApschedulerJob
from apscheduler.triggers.base import BaseTrigger

from scheduler.core.tasks.registry import registry
from scheduler.core.triggers.apscheduler import to_apscheduler
from scheduler.errors import InvalidTrigger, UnknownTask
from scheduler.models import Job

_ATTRIBUTES = (
    "func",
    "args",
    "kwargs",
    "name",
    "trigger",
    "executor",
    "misfire_grace_time",
    "coalesce",
    "max_instances",
    "next_run_time",
)


class StoredJob(ApschedulerJob):
    """A job of APScheduler that remembers what it was when it was read."""

    __slots__ = ("_read",)

    _read: dict[str, Any]

    def changed(self) -> frozenset[str]:
        """Return the names of the attributes that differ from what was read."""
        return frozenset(
            name
            for name in _ATTRIBUTES
            if getattr(self, name) is not self._read[name] and getattr(self, name) != self._read[name]
        )


class MissingTask:
    """Stands where the function of a job would be whose task this process does not know."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        raise UnknownTask(f"No task is registered as “{self.name}”. Is its app in INSTALLED_APPS?")

    def __repr__(self) -> str:
        return f"<MissingTask {self.name}>"


class UnusableTrigger(BaseTrigger):
    """A placeholder for a trigger that cannot be used. Computing with it raises the reason."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> NoReturn:
        raise InvalidTrigger(f"Its trigger cannot be used: {self.reason}")

    def __str__(self) -> str:
        return f"unusable: {self.reason}"


def build(*, row: Job, scheduler: Any, alias: str | None, next_run_time: datetime | None) -> StoredJob:
    """Return the job of a row, without ``__setstate__``, which would import. Never refuses a row."""
    job = StoredJob.__new__(StoredJob)
    job._scheduler = scheduler
    job._jobstore_alias = alias
    job.id = row.pk
    job.func, job.func_ref = _function(row.task)
    job.trigger = _trigger(row)
    job.executor = row.executor
    job.args = tuple(row.args) if isinstance(row.args, list) else ()
    job.kwargs = dict(row.kwargs) if isinstance(row.kwargs, dict) else {}
    job.name = row.name
    job.misfire_grace_time = row.misfire_grace_time
    job.coalesce = row.coalesce
    job.max_instances = row.max_instances
    job.next_run_time = next_run_time
    job._read = {name: getattr(job, name) for name in _ATTRIBUTES}
    job._read["kwargs"] = dict(job.kwargs)
    return job


def _function(name: str) -> tuple[Callable[..., Any], str]:
    try:
        task = registry.get(name)
    except UnknownTask:
        return MissingTask(name), name
    return task.function, task.reference


def _trigger(row: Job) -> BaseTrigger:
    try:
        return to_apscheduler(row.trigger)
    except InvalidTrigger as error:
        return UnusableTrigger(str(error))
