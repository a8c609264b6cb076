"""Jobs: create, update, pause, resume, run now, remove."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from scheduler import conf
from scheduler.core import definitions, triggers
from scheduler.core.registry import DEFAULT_EXECUTOR, registry
from scheduler.core.states import JobSource, JobState, RunKind, RunState
from scheduler.errors import (
    AlreadyPaused,
    InvalidPolicy,
    JobExists,
    JobIsBroken,
    JobNotFound,
    NotPaused,
    StaleVersion,
)
from scheduler.models import Job, Run
from scheduler.store import legacy_state, notifications
from scheduler.store.clock import database_now
from scheduler.store.notifications import Channel

POLICIES = (
    "executor",
    "priority",
    "coalesce",
    "max_instances",
    "misfire_grace_time",
    "rerun_if_interrupted",
)
"""What a caller may say about how a job is run, beside its task, arguments and trigger."""

_DEFINITION = ("task", "args", "kwargs", "trigger", "name", "description", *POLICIES)


def get(*, id: str) -> Job:
    """:raises JobNotFound: there is no job with this id"""
    job = Job.objects.filter(pk=id).first()
    if job is None:
        raise JobNotFound(f"There is no job with the id “{id}”.")
    return job


def create(
    *,
    task: str,
    trigger: Mapping[str, Any],
    id: str | None = None,
    name: str | None = None,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    description: str = "",
    actor: str = "",
    source: JobSource | str = JobSource.CODE,
    replace_existing: bool = False,
    paused: bool = False,
    now: datetime | None = None,
    **policies: Any,
) -> Job:
    """
    Create a job that becomes due at the first fire time of its trigger, and wake the nodes.

    ``replace_existing``: a job with this id is brought to this definition instead. It keeps its history and its state,
    and its next fire time as well if the trigger stays the same; ``name`` and ``description`` stay if not given.
    ``policies`` are those of ``POLICIES``; what is not said comes from the settings and from the task.

    :raises UnknownTask, InvalidArguments, InvalidTrigger, InvalidPolicy: naming the value and the reason
    :raises JobExists: the id is taken
    """
    _refuse_unknown_policies(policies)
    now = now or database_now()
    declared = registry.get(task)
    checked_args, checked_kwargs = _check_arguments(task, args or (), kwargs or {})
    normalized = triggers.normalize(trigger, now=now)
    values = {**_default_policies(declared), **_checked_policies(policies)}
    with transaction.atomic():
        if replace_existing and id is not None and Job.objects.filter(pk=id).exists():
            changes = {"task": task, "args": checked_args, "kwargs": checked_kwargs, "trigger": trigger, **policies}
            if name:
                changes["name"] = name
            if description:
                changes["description"] = description
            return update(job=get(id=id), actor=actor, now=now, **changes)
        next_fire_time = triggers.first_fire_time(normalized, now=now)
        state = JobState.PAUSED if paused else JobState.ACTIVE if next_fire_time else JobState.FINISHED
        job = Job(
            id=id or uuid.uuid4().hex,
            name=name or (id if id else declared.name),
            description=description,
            task=task,
            args=checked_args,
            kwargs=checked_kwargs,
            trigger=normalized,
            next_run_time=next_fire_time if state is JobState.ACTIVE else None,
            state=state,
            state_reason="Created paused." if paused else "",
            state_changed_at=now,
            state_changed_by=actor,
            source=JobSource(source),
            created_at=now,
            created_by=actor,
            updated_at=now,
            updated_by=actor,
            needs_inspection=False,
            **values,
        )
        job.job_state = legacy_state.dump(job)
        try:
            with transaction.atomic():
                job.save(force_insert=True)
        except IntegrityError as error:
            raise JobExists(f"A job with the id “{job.id}” exists already. Choose another id, or update it.") from error
    return job


def update(
    *, job: Job, actor: str = "", version: int | None = None, now: datetime | None = None, **changes: Any
) -> Job:
    """
    Change a job's definition and wake the nodes; return it as it is now.

    Another trigger makes the job due at that trigger's first fire time after now: an edit never fires at once. Any
    other change leaves when it fires alone. A broken job is back in the schedule, a finished one too if its trigger
    changed. ``version``: refuse if somebody else changed the job since that version was read.

    :raises UnknownTask, InvalidArguments, InvalidTrigger, InvalidPolicy, StaleVersion: nothing was changed
    """
    unknown = sorted(set(changes) - set(_DEFINITION))
    if unknown:
        raise InvalidPolicy(f"A job has no {', '.join(unknown)} that could be changed.")
    now = now or database_now()
    with transaction.atomic():
        stored = _lock(job)
        if version is not None and stored.version != version:
            raise StaleVersion(
                f"“{stored.name}” was changed by {stored.updated_by or 'somebody'} meanwhile "
                f"(version {stored.version}, yours was {version}). Look at it again."
            )
        new = {name: changes[name] for name in ("name", "description") if name in changes}
        new |= _checked_policies({name: changes[name] for name in POLICIES if name in changes})
        task = changes.get("task", stored.task)
        args, kwargs = _check_arguments(task, changes.get("args", stored.args), changes.get("kwargs", stored.kwargs))
        new |= {"task": task, "args": args, "kwargs": kwargs}
        new |= _reschedule(stored, changes.get("trigger"), now)
        return _save(stored, new, actor=actor, now=now)


def _reschedule(job: Job, trigger: Mapping[str, Any] | None, now: datetime) -> dict[str, Any]:
    """Say what another trigger, or the healing of a broken job, changes about when it is due."""
    new: dict[str, Any] = {}
    is_same = trigger is None or dict(trigger) == job.trigger or _same_but_for_anchor(trigger, job.trigger, now)
    if not is_same:
        assert trigger is not None  # noqa: S101 - said by is_same
        new["trigger"] = triggers.normalize(trigger, now=now)
        if job.state != JobState.PAUSED:
            new |= _due(triggers.first_fire_time(new["trigger"], now=now))
        new["interrupted_at"] = None
    elif job.state == JobState.BROKEN:
        triggers.normalize(job.trigger, now=now)
        new |= _due(job.interrupted_at or triggers.first_fire_time(job.trigger, now=now))
        new["interrupted_at"] = None
    return new


def _same_but_for_anchor(trigger: Mapping[str, Any], stored: Mapping[str, Any], now: datetime) -> bool:
    """Whether a trigger is the stored one, seen without what normalizing has filled in."""
    normalized = triggers.normalize(trigger, now=now)
    if "start_at" not in trigger and "start_at" in stored and "start_at" in normalized:
        normalized = {**normalized, "start_at": stored["start_at"]}
    return normalized == stored


def _due(next_fire_time: datetime | None) -> dict[str, Any]:
    if next_fire_time is None:
        reason = "It has no further fire time."
        return {"next_run_time": None, "state": JobState.FINISHED, "state_reason": reason}
    return {"next_run_time": next_fire_time, "state": JobState.ACTIVE, "state_reason": ""}


def pause(*, job: Job, actor: str = "", reason: str = "", now: datetime | None = None) -> Job:
    """
    Stop the job from becoming due. Runs that are queued or running go on.

    :raises AlreadyPaused, JobNotFound: nothing was changed
    """
    now = now or database_now()
    with transaction.atomic():
        stored = _lock(job)
        if stored.state == JobState.PAUSED:
            raise AlreadyPaused(f"“{stored.name}” is paused already.")
        new = {"next_run_time": None, "state": JobState.PAUSED, "state_reason": reason, "interrupted_at": None}
        return _save(stored, new, actor=actor, now=now)


def resume(*, job: Job, actor: str = "", now: datetime | None = None) -> Job:
    """
    Let a paused job become due again, at its first fire time after now; what passed meanwhile is not made up for.

    :raises NotPaused, JobNotFound, UnknownTask, InvalidArguments, InvalidTrigger: nothing was changed
    """
    now = now or database_now()
    with transaction.atomic():
        stored = _lock(job)
        if stored.state != JobState.PAUSED:
            raise NotPaused(f"“{stored.name}” is not paused; it is {stored.state}.")
        _check_arguments(stored.task, stored.args, stored.kwargs)
        return _save(stored, _due(triggers.first_fire_time(stored.trigger, now=now)), actor=actor, now=now)


def run_now(*, job: Job, actor: str = "", kwargs: Mapping[str, Any] | None = None, now: datetime | None = None) -> Run:
    """
    Queue one run for the next node that has room; when the job is due does not change.

    It waits while ``max_instances`` runs of the job are active. ``kwargs`` replace the job's for this run.

    :raises JobIsBroken, UnknownTask, InvalidArguments, JobNotFound: nothing was queued
    """
    now = now or database_now()
    with transaction.atomic():
        stored = _lock(job)
        if stored.state == JobState.BROKEN:
            raise JobIsBroken(f"“{stored.name}” cannot run: {stored.state_reason}")
        args, checked = _check_arguments(stored.task, stored.args, stored.kwargs if kwargs is None else kwargs)
        active = Run.objects.active().filter(job=stored, held=False).count()
        run = Run.objects.create(
            job=stored,
            job_key=stored.pk,
            job_name=stored.name,
            task=stored.task,
            args=args,
            kwargs=checked,
            scheduled_at=now,
            due_at=now,
            kind=RunKind.MANUAL,
            state=RunState.QUEUED,
            executor=stored.executor,
            priority=stored.priority,
            held=active >= stored.max_instances,
            requested_by=actor,
            created_at=now,
        )
        notifications.notify(Channel.RUNS)
    return run


def remove(*, job: Job, actor: str = "") -> None:
    """
    Delete the job. Runs that are queued or running go on; the history stays, with the job's id and name.

    :raises JobNotFound: it is gone already
    """
    with transaction.atomic():
        _lock(job).delete()


def _lock(job: Job) -> Job:
    """
    Read the job again and lock it against claims and other edits, until the transaction ends.

    The parent row comes first, as in a claim, so that the two never wait for each other in a circle.
    """
    list(Job.djangojob_ptr.field.related_model.objects.select_for_update().filter(pk=job.pk).values_list("pk"))
    stored = Job.objects.select_for_update().filter(pk=job.pk).first()
    if stored is None:
        raise JobNotFound(f"The job “{job.name}” ({job.pk}) was deleted meanwhile.")
    return stored


def _save(job: Job, new: Mapping[str, Any], *, actor: str, now: datetime) -> Job:
    if "state" in new and new["state"] != job.state:
        job.state_changed_at, job.state_changed_by = now, actor
    for name, value in new.items():
        setattr(job, name, value)
    job.version += 1
    job.updated_at, job.updated_by = now, actor
    job.needs_inspection = job.needs_rescheduling = False
    job.job_state = legacy_state.dump(job)
    job.save()
    return job


def _check_arguments(task: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    return definitions.check_arguments(
        task=registry.get(task), args=args, kwargs=kwargs, max_bytes=conf.get().max_arguments_bytes
    )


def _default_policies(task: Any) -> dict[str, Any]:
    settings = conf.get()
    grace = settings.misfire_grace_seconds
    return {
        "executor": task.executor or DEFAULT_EXECUTOR,
        "priority": 0,
        "coalesce": settings.coalesce,
        "max_instances": settings.max_instances,
        "misfire_grace_time": None if grace is None else int(grace),
        "rerun_if_interrupted": task.idempotent,
    }


def _refuse_unknown_policies(policies: Mapping[str, Any]) -> None:
    unknown = sorted(set(policies) - set(POLICIES))
    if unknown:
        raise InvalidPolicy(f"A job has no policy {', '.join(unknown)}. There are: {', '.join(POLICIES)}.")


def _checked_policies(policies: Mapping[str, Any]) -> dict[str, Any]:
    """:raises InvalidPolicy: naming the value and what is allowed"""
    checked = dict(policies)
    for name, low, high in (("max_instances", 1, 10_000), ("priority", -1000, 1000)):
        if name in checked:
            _refuse_out_of_range(name, checked[name], low, high)
    if checked.get("misfire_grace_time") is not None:
        checked["misfire_grace_time"] = _whole_seconds("misfire_grace_time", checked["misfire_grace_time"])
    for name in ("coalesce", "rerun_if_interrupted"):
        if name in checked and not isinstance(checked[name], bool):
            raise InvalidPolicy(f"{name} is “{checked[name]}”; it is true or false.")
    executor = checked.get("executor")
    if executor is not None and (not isinstance(executor, str) or not 0 < len(executor) <= 64):
        raise InvalidPolicy(f"executor is “{executor}”; it is a name of at most 64 characters.")
    return checked


def _refuse_out_of_range(name: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidPolicy(f"{name} is “{value}”; it is a whole number from {low:,} to {high:,}.")


def _whole_seconds(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 2_147_483_647:
        raise InvalidPolicy(f"{name} is “{value}”; it is a number of seconds from 1 on, or empty for no limit.")
    return int(value)
