"""
``Job`` objects of APScheduler, read as the definition of one of our rows.

APScheduler gives its store only the outcome: a ``next_run_time`` that it computed looks like one that the caller gave.
To tell them apart, its trigger is computed again. A time that the trigger gives as well is left to our own trigger, any
other one is what the caller wants.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apscheduler.job import Job as ApschedulerJob
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.interval import IntervalTrigger

from scheduler import conf
from scheduler.core import reasons, triggers
from scheduler.core.jobs import ids, names, policies
from scheduler.core.states import JobSource, JobState
from scheduler.core.tasks.registry import registry
from scheduler.core.triggers.apscheduler import from_apscheduler
from scheduler.errors import InvalidTask, UnknownTask
from scheduler.models import Job
from scheduler.store.jobs import rows
from scheduler.store.stock.stored_jobs import MissingTask

_POLICIES = ("executor", "misfire_grace_time", "coalesce", "max_instances")
_ROUNDING = timedelta(milliseconds=1)
"""APScheduler computes with floats."""

_LATENCY = timedelta(minutes=1)
"""Allowed distance of the scheduler's clock from the database's. A trigger without an anchor counts from now."""

_CONSTRUCTION = timedelta(minutes=10)
"""Longest time from making a trigger to storing its job, and largest distance between clocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A job as APScheduler hands it over."""

    job: ApschedulerJob
    next_run_time: datetime | None
    """In UTC. ``None``: paused."""

    @property
    def trigger(self) -> dict[str, Any]:
        """The JSON as it was given: not normalized, without an anchor that APScheduler's constructors filled in."""
        return from_apscheduler(self.job.trigger)

    def task(self) -> str:
        """
        Return the name of the task that its function is.

        :raises InvalidTask, UnknownTask: it is none
        """
        if not self.job.func_ref:
            raise InvalidTask(
                f"{self.job.func!r} cannot be scheduled: another process could not find a lambda, a nested function or "
                "a partial again. Write a function at the top of a module and decorate it with @task."
            )
        try:
            return registry.name_of(self.job.func)
        except UnknownTask:
            return registry.name_of(self.job.func_ref)

    def call(self, *, task: str) -> dict[str, Any]:
        """:raises UnknownTask, InvalidArguments: naming what does not fit"""
        args, kwargs = rows.check_arguments(
            task=task, args=list(self.job.args), kwargs=dict(self.job.kwargs), job=self.job.id
        )
        return {"task": task, "args": args, "kwargs": kwargs}

    def policies(self, names: Collection[str] = _POLICIES) -> dict[str, Any]:
        """:raises InvalidPolicy: naming the value and what is allowed"""
        return policies.check({name: getattr(self.job, name) for name in _POLICIES if name in names})

    def is_computed(self, *, now: datetime) -> bool:
        """Return whether its ``next_run_time`` is what its own trigger says, give or take jitter."""
        if self.next_run_time is None:
            return False
        computed = self.job.trigger.get_next_fire_time(None, now)
        jitter = timedelta(seconds=getattr(self.job.trigger, "jitter", None) or 0)
        form = self.trigger
        rounding = _LATENCY if form["type"] == "interval" and "start_at" not in form else _ROUNDING
        return computed is not None and abs(computed - self.next_run_time) <= jitter + rounding

    def anchored(self) -> dict[str, Any]:
        """Its trigger, going on from its ``next_run_time``: as APScheduler, an interval counts from its last run."""
        form = self.trigger
        if form["type"] == "interval" and self.next_run_time is not None:
            form["start_at"] = self.next_run_time.isoformat()
        return form

    def unanchored(self, *, now: datetime) -> dict[str, Any]:
        """Its trigger without a start that APScheduler's constructors filled in: that moves with every restart."""
        form = self.trigger
        trigger = self.job.trigger
        if isinstance(trigger, IntervalTrigger):
            made_at = trigger.start_date - trigger.interval
            # People give whole seconds; the clock does not.
            if abs(now - made_at) < _CONSTRUCTION and trigger.start_date.microsecond:
                form.pop("start_at", None)
        elif isinstance(trigger, CalendarIntervalTrigger):
            today = now.astimezone(trigger.timezone).date()
            if abs(today - trigger.start_date) <= timedelta(days=1):
                form.pop("start_at", None)
        return form


def new_job(*, declaration: Declaration, now: datetime) -> Job:
    """
    Return the row of a job that is added, not written yet.

    :raises UnknownTask, InvalidTask, InvalidArguments, InvalidTrigger, InvalidPolicy, InvalidName: naming what is wrong
    """
    job = declaration.job
    task = registry.get(declaration.task())
    form = declaration.trigger
    is_given = declaration.next_run_time is not None and not declaration.is_computed(now=now)
    normalized = triggers.normalize(declaration.anchored() if is_given or "start_at" not in form else form, now=now)
    columns = rows.due(triggers.first_fire_time(normalized, now=now))
    if is_given:
        columns = rows.due(declaration.next_run_time)
    elif declaration.next_run_time is None and columns["state"] == JobState.ACTIVE:
        columns = {"next_run_time": None, "state": JobState.PAUSED, **reasons.columns(reasons.CREATED_PAUSED())}
    return Job(
        id=ids.checked(job.id),
        name=names.checked_name(job.name),
        trigger=normalized,
        state_changed_at=now,
        source=JobSource.CODE,
        created_at=now,
        updated_at=now,
        needs_inspection=False,
        **declaration.call(task=task.name),
        **columns,
        **{**policies.defaults(task=task, settings=conf.get()), **declaration.policies()},
    )


def edit_columns(*, row: Job, changed: Collection[str], declaration: Declaration, now: datetime) -> dict[str, Any]:
    """
    Return the columns that change when these attributes of a job are changed.

    :raises UnknownTask, InvalidTask, InvalidArguments, InvalidTrigger, InvalidPolicy, InvalidName: naming what is wrong
    """
    job = declaration.job
    new = declaration.policies(changed)
    if "name" in changed:
        new["name"] = names.checked_name(job.name)
    if "func" in changed or "args" in changed or "kwargs" in changed:
        new |= declaration.call(task=row.task if _is_task_of(row, job.func) else declaration.task())
    if "trigger" in changed:
        new |= rows.reschedule(job=row, trigger=declaration.trigger, now=now, must_fire=False)
    if "next_run_time" in changed:
        new |= _when(row, new, declaration, now)
    if row.state == JobState.BROKEN and new and "state" not in new:
        new |= rows.heal(job=row, changes=new, now=now)
    return new


def replacement_columns(*, row: Job, declaration: Declaration, now: datetime) -> dict[str, Any]:
    """
    Return the columns that change when a job is declared anew, as with ``replace_existing``.

    If the trigger is the same, its phase and its next fire time stay. A job that code paused becomes active again. A
    job that a person paused stays paused.

    :raises UnknownTask, InvalidTask, InvalidArguments, InvalidTrigger, InvalidPolicy, InvalidName: naming what is wrong
    """
    new = declaration.policies() | declaration.call(task=declaration.task())
    if not _keeps_name(row, declaration.job):
        new["name"] = names.checked_name(declaration.job.name)
    form = declaration.unanchored(now=now)
    if declaration.next_run_time is None:
        return new | _pause_or_finish(row, form, now)
    if not declaration.is_computed(now=now):
        return new | _at(row, declaration, now)
    new |= rows.reschedule(job=row, trigger=form, now=now, must_fire=False)
    if row.state == JobState.PAUSED and not row.state_changed_by:
        new |= rows.due(triggers.first_fire_time(new.get("trigger", row.trigger), now=now))
    elif row.state == JobState.BROKEN:
        new |= rows.heal(job=row, changes=new, now=now)
    return new


def _when(row: Job, new: dict[str, Any], declaration: Declaration, now: datetime) -> dict[str, Any]:
    """Say when a job is due whose ``next_run_time`` was changed: paused, resumed, or moved."""
    if declaration.next_run_time is None:
        return rows.pause(job=row, reason="", now=now)
    rows.check_arguments(**{name: new.get(name, getattr(row, name)) for name in ("task", "args", "kwargs")}, job=row.pk)
    if not declaration.is_computed(now=now):
        return _at(row, declaration, now)
    trigger = new.get("trigger", row.trigger)
    first = triggers.first_fire_time(trigger, now=now)
    if first is None:
        return rows.due(None)
    return {**rows.schedule(job=row, at=first, now=now), "consecutive_failures": 0}


def _at(row: Job, declaration: Declaration, now: datetime) -> dict[str, Any]:
    """Let the job be due at the ``next_run_time`` that was given, and go on from there."""
    assert declaration.next_run_time is not None  # noqa: S101 - the callers have asked
    normalized = triggers.normalize(declaration.anchored(), now=now)
    return {"trigger": normalized, **rows.schedule(job=row, at=declaration.next_run_time, now=now)}


def _pause_or_finish(row: Job, form: dict[str, Any], now: datetime) -> dict[str, Any]:
    if rows.is_same_trigger(trigger=form, stored=row.trigger):
        new: dict[str, Any] = {}
    else:
        new = {"trigger": triggers.normalize(form, now=now)}
    if triggers.first_fire_time(new.get("trigger", row.trigger), now=now) is None:
        return new | rows.due(None)
    return new if row.state == JobState.PAUSED else new | rows.pause(job=row, reason="", now=now)


def _is_task_of(row: Job, function: object) -> bool:
    """One function may be several tasks: the job stays what it is."""
    if isinstance(function, MissingTask):
        return function.name == row.task
    try:
        return registry.get(row.task).function is function
    except UnknownTask:
        return False


def _keeps_name(row: Job, job: ApschedulerJob) -> bool:
    """Return whether the job was given a name by hand and the new declaration has only APScheduler's default."""
    try:
        former = registry.get(row.task).function.__qualname__
    except UnknownTask:
        former = ""
    return job.name == getattr(job.func, "__qualname__", None) and row.name != former
