"""
Rows of jobs: what the services and APScheduler's job store write alike.

Every function runs in its caller's transaction, which holds the lock of ``lock`` on the job that it changes. Those that
write say who does, for the history.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, OperationalError
from django_apscheduler.models import DjangoJob

from scheduler import conf, sealing
from scheduler.core import error_messages, reasons, triggers
from scheduler.core.jobs import definitions
from scheduler.core.states import ChangeAction, JobState
from scheduler.core.tasks.registry import registry
from scheduler.core.triggers.zones import default_zone
from scheduler.errors import InvalidArguments, InvalidTrigger, JobExists, JobNotFound, UnknownTask
from scheduler.models import Calendar, Job
from scheduler.models.job import JobQuerySet
from scheduler.store import calendars, database
from scheduler.store.accounting import overdue
from scheduler.store.jobs import authorship, newer_rules
from scheduler.store.jobs.authorship import Author
from scheduler.store.sessions.drivers import sqlstate
from scheduler.store.stock import legacy_state

_IN_USE = "55006"
"""SQLSTATE that the database raises while the former runs of an id are being detached."""

_ANCHORED = ("interval", "calendar")
"""Triggers that get a ``start_at`` when they are normalized."""


def lock(*, id: str) -> Job:
    """
    Read a job and lock it against claims and other edits, until the transaction ends.

    The parent row comes first, as in a claim, so that the two never wait for each other in a circle.

    :raises JobNotFound: there is none, or it was deleted meanwhile
    """
    list(DjangoJob.objects.select_for_update().filter(pk=id).values_list("pk"))
    stored: Job | None = Job.objects.select_for_update().filter(pk=id).first()
    if stored is None:
        raise JobNotFound(error_messages.NO_SUCH_JOB(id=f"{id}"))
    return stored


def lock_many(*, ids: Sequence[str]) -> None:
    """Lock jobs against claims and other edits until the transaction ends: parent rows first, in order of their ids."""
    list(DjangoJob.objects.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk"))
    list(Job.objects.select_for_update(of=("self",)).filter(pk__in=ids).order_by("pk").values_list("pk"))


def insert(*, job: Job, author: Author) -> None:
    """
    Write a new job.

    :raises JobExists: its id is taken, be it by a row that stock django-apscheduler wrote
    """
    job.trigger = calendars.with_windows(job.trigger, tags=job.tags, among=calendars.windows())
    newer_rules.mark(jobs=[job])
    job.job_state = legacy_state.dump(job)
    try:
        with database.atomic():
            authorship.announce(author=author, job=job.id)
            job.save(force_insert=(DjangoJob,))
    except OperationalError as error:
        if sqlstate(error.__cause__) != _IN_USE:
            raise
        raise JobExists(error_messages.FORMER_JOB_GOES_ON(id=f"{job.id}")) from error
    except IntegrityError as error:
        raise JobExists(error_messages.JOB_ID_TAKEN(id=f"{job.id}")) from error


def is_unadopted(*, id: str) -> bool:
    """Return whether stock django-apscheduler wrote a row with this id that is not adopted yet. Locks that row."""
    found = list(DjangoJob.objects.select_for_update().filter(pk=id).values_list("pk"))
    return bool(found) and not Job.objects.filter(pk=id).exists()


def adopt(*, job: Job, author: Author) -> None:
    """Make a job of the stock row with its id. That row itself stays as it is."""
    job.djangojob_ptr_id = job.id
    authorship.announce(author=dataclasses.replace(author, action=ChangeAction.ADOPTED), job=job.id)
    job.save_base(raw=True, force_insert=True)


def take_over(*, job: Job, author: Author) -> None:
    """Make a job of the stock row with its id, whose content is replaced unread."""
    job.job_state = legacy_state.dump(job)
    DjangoJob.objects.filter(pk=job.id).update(next_run_time=job.next_run_time, job_state=job.job_state)
    adopt(job=job, author=author)


def delete(*, job: Job, author: Author) -> None:
    """Delete a job. Its runs and its changes stay, with its id and name."""
    authorship.announce(author=author, job=job.pk)
    job.delete()


def delete_many(*, jobs: JobQuerySet, author: Author) -> int:
    """Delete jobs in one statement and return their number."""
    with authorship.of_many(author=author):
        return jobs.delete()[1].get(Job._meta.label, 0)


def save(*, job: Job, changes: Mapping[str, Any], author: Author, now: datetime) -> Job:
    """
    Write changed columns as a new version of the definition.

    ``needs_inspection`` stays: what was written past the services is still looked at by a node.
    """
    moved = set_columns(job=job, changes=changes, author=author, now=now)
    if set(moved) - {"interrupted_at"} == {"next_run_time"}:
        also = {"next_run_time": [None if at is None else at.isoformat() for at in moved["next_run_time"]]}
        author = dataclasses.replace(author, also=also)
    authorship.announce(author=author, job=job.pk)
    newer_rules.mark(jobs=[job])
    job.save()
    return job


def set_columns(
    *,
    job: Job,
    changes: Mapping[str, Any],
    author: Author,
    now: datetime,
    maintenance: Sequence[Calendar] | None = None,
) -> dict[str, tuple[Any, Any]]:
    """
    Set changed columns as a new version that is not written yet. Return old and new of those that moved.

    ``maintenance``: the maintenance windows, if the caller has read them for many jobs.
    """
    moved = {name: (getattr(job, name), new) for name, new in changes.items() if getattr(job, name) != new}
    if "state" in moved or "paused_until" in moved:
        job.state_changed_at, job.state_changed_by = now, author.actor
    for name, value in changes.items():
        setattr(job, name, value)
    if "tags" in moved or "trigger" in moved:
        among = calendars.windows() if maintenance is None else maintenance
        job.trigger = calendars.with_windows(job.trigger, tags=job.tags, among=among)
    if job.state != JobState.PAUSED:
        job.paused_until = None
    job.version += 1
    job.updated_at, job.updated_by = now, author.actor
    job.job_state = legacy_state.dump(job)
    return moved


def check_arguments(
    *, task: str, args: Sequence[Any], kwargs: Mapping[str, Any], job: str = ""
) -> tuple[list[Any], dict[str, Any]]:
    """
    Return the arguments as they are stored for the job. Without one they are only checked: their secrets would be of
    no use to any job.

    :raises UnknownTask, InvalidArguments: naming what does not fit
    """
    return definitions.check_arguments(
        task=registry.get(task),
        args=args,
        kwargs=kwargs,
        max_bytes=conf.get().max_arguments_bytes,
        vault=sealing.Vault(job=job),
    )


def due(next_fire_time: datetime | None) -> dict[str, Any]:
    """Return the columns of a job that is due then, or is finished (``None``)."""
    columns = {"next_run_time": next_fire_time, "interrupted_at": None}
    if next_fire_time is None:
        return {**columns, "state": JobState.FINISHED, **reasons.columns(reasons.NO_FURTHER_FIRE_TIME())}
    return {**columns, "state": JobState.ACTIVE, **reasons.columns(None)}


def pause(*, job: Job, reason: str, now: datetime, until: datetime | None = None) -> dict[str, Any]:
    """
    Return the columns of a paused job.

    Fire times that were due already are entered as skipped. A node resumes the job at ``until``.
    """
    overdue.skip(job=job, reason=reasons.JOB_PAUSED(), now=now)
    columns = {"next_run_time": None, "state": JobState.PAUSED, "interrupted_at": None, "paused_until": until}
    return {**columns, **reasons.columns(reason)}


def schedule(*, job: Job, at: datetime, now: datetime) -> dict[str, Any]:
    """
    Return the columns of a job that is due then, regardless of its trigger.

    Fire times that were due already are planned.
    """
    overdue.settle(job=job, now=now)
    return due(at)


def reschedule(*, job: Job, trigger: Mapping[str, Any], now: datetime, must_fire: bool = True) -> dict[str, Any]:
    """
    Return the columns that a new trigger changes.

    An equal trigger changes none. The job is due at the first fire time strictly after now: an edit never fires at
    once. Fire times that were due by the old trigger are planned by it. A paused job stays paused. Without
    ``must_fire`` a trigger that is over is taken as for a new job: a date is due, and any other job is finished.

    :raises InvalidTrigger: it cannot be used
    :raises NeverFires: with ``must_fire``, its last fire time has passed
    """
    if is_same_trigger(trigger=trigger, stored=job.trigger):
        return {}
    normalized = triggers.normalize(trigger, now=now)
    new: dict[str, Any] = {"trigger": normalized, "interrupted_at": None}
    first = triggers.check_future if must_fire else triggers.first_fire_time
    next_fire_time = first(normalized, now=now)
    if job.state == JobState.BROKEN:
        overdue.skip(job=job, reason=reasons.JOB_BROKEN(reason=job.state_reason), now=now)
    elif job.state != JobState.PAUSED:
        overdue.settle(job=job, now=now)
        new |= due(next_fire_time)
    return new


def heal(*, job: Job, changes: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """
    Return what puts a broken job back into the schedule after these changes, or why it still cannot run.

    It goes on from the fire time that was next when it broke, so that what passed since is accounted for.
    """
    after = {name: changes.get(name, getattr(job, name)) for name in ("task", "args", "kwargs", "trigger")}
    trigger = after.pop("trigger")
    try:
        check_arguments(**after, job=job.pk)
        normalized = triggers.normalize(trigger, now=now)
        owed_from = changes.get("interrupted_at", job.interrupted_at)
        next_fire_time = owed_from or triggers.first_fire_time(normalized, now=now)
    except (UnknownTask, InvalidArguments, InvalidTrigger) as error:
        return reasons.columns(reasons.of_error(error))
    return {"trigger": normalized, **due(next_fire_time)}


def is_same_trigger(*, trigger: Mapping[str, Any], stored: Any) -> bool:
    """Return whether a trigger is the stored one, seen without the anchor that normalizing fills in."""
    if trigger == stored:
        return True
    if not isinstance(stored, Mapping):
        return False
    meant = _with_anchors_of(stored, given=trigger)
    # Most have the zone of the project, which they need not say.
    return {"timezone": default_zone(), **meant} == stored or triggers.is_same(meant, stored)


def _with_anchors_of(stored: Mapping[str, Any], *, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trigger with the stored ``start_at`` where normalizing would fill in another one."""
    result = dict(given)
    if given.get("start_at") is None and "start_at" in stored and given.get("type") in _ANCHORED:
        result["start_at"] = stored["start_at"]
    parts, inner = stored.get("triggers"), given.get("triggers")
    if isinstance(parts, list) and isinstance(inner, list) and len(parts) == len(inner):
        result["triggers"] = [
            _with_anchors_of(part, given=each) if isinstance(part, Mapping) and isinstance(each, Mapping) else each
            for part, each in zip(parts, inner, strict=True)
        ]
    return result
