"""Jobs: create, update, pause, resume, run now, remove."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Unpack

from scheduler import conf
from scheduler.core import definition, error_messages, reasons
from scheduler.core.jobs import policies as policy_rules
from scheduler.core.states import ChangeAction, JobSource, JobState, RunKind, RunState, Via
from scheduler.core.tasks.registry import registry
from scheduler.errors import AlreadyPaused, InvalidPolicy, JobExists, JobIsBroken, JobNotFound, NotPaused
from scheduler.messages import phrase
from scheduler.models import Job, Run
from scheduler.services import masking
from scheduler.services.jobs import editing
from scheduler.services.jobs.building import unsaved
from scheduler.services.jobs.calling import Definition, Stated, TaskOrName, asynchronous, given_definition, task_name
from scheduler.services.jobs.pauses import end_of_pause
from scheduler.store import database
from scheduler.store.clock import database_now
from scheduler.store.jobs import rows
from scheduler.store.jobs.authorship import Author
from scheduler.store.sessions import notifications
from scheduler.store.sessions.notifications import Channel

_MOST_AT_ONCE = 1000
"""Runs that one transaction cancels."""


def get(*, id: str) -> Job:
    """:raises JobNotFound: a job with this id does not exist"""
    job: Job | None = Job.objects.filter(pk=id).first()
    if job is None:
        raise JobNotFound(error_messages.NO_SUCH_JOB(id=f"{id}"))
    return job


def create(
    *,
    task: TaskOrName,
    trigger: Mapping[str, Any],
    id: str | None = None,
    actor: str = "",
    via: Via | str = Via.CODE,
    reason: str = "",
    source: JobSource | str = JobSource.CODE,
    replace_existing: bool = False,
    paused: bool = False,
    restored_version: int | None = None,
    now: datetime | None = None,
    **stated: Unpack[Stated],
) -> Job:
    """
    Create a job that becomes due at the first fire time of its trigger, and wake the nodes.

    ``task`` is a function with ``@task`` or its name. ``stated`` are ``args``, ``kwargs``, ``name``, ``description``,
    ``tags`` and policies. The settings and the task supply policies that are left out. Durations are seconds or a
    ``timedelta``. ``actor``, ``via``, ``reason`` and ``restored_version`` go into the history of the job.

    ``replace_existing``: a job with this id is brought to this definition instead, as APScheduler does it.

    :raises UnknownTask, InvalidArguments, InvalidTrigger, InvalidPolicy, InvalidName: naming the value and the reason
    :raises JobExists: the id is taken
    """
    given = given_definition(task=task, trigger=trigger, stated=stated)
    again = {**given, "actor": actor, "via": via, "reason": reason, "now": now}
    if replace_existing and id is not None and Job.objects.filter(pk=id).exists():
        return _replaced(id, again)
    now = now or database_now()
    job = unsaved(id=id, given=given, source=JobSource(source), paused=paused, actor=actor, now=now)
    with database.atomic():
        if _is_written(job, replaces=replace_existing, author=_author(actor, via, reason, restored_version)):
            return job
        return _replaced(job.id, again)


def _is_written(job: Job, *, replaces: bool, author: Author) -> bool:
    """
    Write a new job. ``False``: a job with its id exists, and is to be replaced.

    :raises JobExists: the id is taken
    """
    if replaces and rows.is_unadopted(id=job.id):
        rows.take_over(job=job, author=author)
        return True
    try:
        rows.insert(job=job, author=author)
    except JobExists:
        if not replaces:
            raise
        return False  # another process created it meanwhile
    return True


def _replaced(id: str, given: dict[str, Any]) -> Job:
    """
    Bring a job to this definition, as APScheduler does it: arguments and policies that are left out get their defaults.

    It keeps its history and its state, and its next fire time as well if the trigger stays the same. ``name``,
    ``description`` and ``tags`` stay if they are left out.
    """
    defaults = policy_rules.defaults(task=registry.get(given["task"]), settings=conf.get())
    return update(job=get(id=id), **{**defaults, **given})


def _author(actor: str, via: Via | str, reason: str, restored_version: int | None = None) -> Author:
    action = None if restored_version is None else ChangeAction.RESTORED
    return Author(actor=actor, via=Via(via), reason=reason, action=action, restored_version=restored_version)


def update(
    *,
    job: Job | str,
    actor: str = "",
    via: Via | str = Via.CODE,
    reason: str = "",
    version: int | None = None,
    restored_version: int | None = None,
    now: datetime | None = None,
    **changes: Unpack[Definition],
) -> Job:
    """
    Change a job's definition and wake the nodes. Return it as it is now.

    Another trigger makes the job due at that trigger's first fire time after now: an edit never fires at once, and what
    was due already is planned by the old trigger. Any other change leaves when it fires alone. A broken job is back in
    the schedule if it can run now, a finished one if its trigger changed. ``job`` is a job or its id. ``changes`` are
    the parts of a definition that ``create`` takes. ``version``: reject the change if the job changed since that
    version was read.

    :raises UnknownTask, InvalidArguments, InvalidTrigger, InvalidPolicy, StaleVersion: no change was made
    """
    unknown = sorted(set(changes) - set(definition.NAMES))
    if unknown:
        raise InvalidPolicy(error_messages.UNCHANGEABLE(names=", ".join(unknown)))
    if "task" in changes:
        changes["task"] = task_name(changes["task"])
    with database.atomic():
        stored = _lock(job)
        now = now or database_now()
        if version is not None and stored.version != version:
            raise editing.stale(job=stored, version=version)
        unsaved = editing.edited(job=stored, changes=changes, now=now, is_restored=restored_version is not None)
        author = _author(actor, via, reason, restored_version)
        return rows.save(job=stored, changes=unsaved, author=author, now=now)


def pause(
    *,
    job: Job | str,
    actor: str = "",
    via: Via | str = Via.CODE,
    reason: str = "",
    until: datetime | None = None,
    now: datetime | None = None,
) -> Job:
    """
    Stop the job from becoming due. Queued and running runs continue. Fire times that are due but not planned are
    skipped.

    ``until``: a node resumes it then, as ``resume`` does. Without a zone it is meant in the project's. A job paused
    with another end gets this end instead.

    :raises AlreadyPaused, InvalidPause, JobNotFound: no change was made
    """
    with database.atomic():
        stored = _lock(job)
        now = now or database_now()
        until = None if until is None else end_of_pause(until, now=now)
        if stored.state == JobState.PAUSED and stored.paused_until == until:
            raise AlreadyPaused(error_messages.JOB_IS_PAUSED(name=stored.name))
        changes = rows.pause(job=stored, reason=reason, until=until, now=now)
        author = Author(actor=actor, via=Via(via), reason=reason, action=ChangeAction.PAUSED)
        return rows.save(job=stored, changes=changes, author=author, now=now)


def resume(
    *, job: Job | str, actor: str = "", via: Via | str = Via.CODE, reason: str = "", now: datetime | None = None
) -> Job:
    """
    Let a paused job become due again, at its first fire time after now. Runs due in the meantime are skipped.

    A job whose last fire time passed meanwhile is finished.

    :raises NotPaused, JobNotFound, UnknownTask, InvalidArguments, InvalidTrigger: no change was made
    """
    with database.atomic():
        stored = _lock(job)
        now = now or database_now()
        if stored.state != JobState.PAUSED:
            raise NotPaused(error_messages.JOB_IS_NOT_PAUSED(name=stored.name, state=phrase(stored.state)))
        changes = editing.resumed(job=stored, now=now)
        return rows.save(job=stored, changes=changes, author=_author(actor, via, reason), now=now)


def run_now(
    *, job: Job | str, actor: str = "", kwargs: Mapping[str, Any] | None = None, now: datetime | None = None
) -> Run:
    """
    Queue one run for the next node that has room. The schedule does not change.

    It waits while ``max_instances`` runs of the job are active. ``kwargs`` replace the job's for this run.

    :raises JobIsBroken, UnknownTask, InvalidArguments, JobNotFound: no run was queued
    """
    with database.atomic():
        stored = _lock(job)
        now = now or database_now()
        if stored.state == JobState.BROKEN:
            raise JobIsBroken(error_messages.CANNOT_RUN(name=stored.name, reason=stored.state_reason))
        if kwargs is not None:
            masking.check_destination(job=stored, changes={"kwargs": kwargs})
        args, checked = rows.check_arguments(
            task=stored.task, args=stored.args, kwargs=stored.kwargs if kwargs is None else kwargs, job=stored.pk
        )
        active = Run.objects.active().filter(job=stored, held=False).count()
        run = Run.of(
            stored,
            scheduled_at=now,
            now=now,
            args=args,
            kwargs=checked,
            kind=RunKind.MANUAL,
            held=active >= stored.max_instances,
            requested_by=actor,
        )
        run.save(force_insert=True)
        notifications.notify(Channel.RUNS, subject="" if run.held else run.executor)
    return run


def remove(*, job: Job | str, actor: str = "", via: Via | str = Via.CODE, reason: str = "") -> None:
    """
    Delete the job. Its queued and running runs continue, its held runs are cancelled.

    The history is kept under the job's id and name. The job can be restored from it.

    :raises JobNotFound: it is gone already
    """
    with database.atomic():
        stored = _lock(job)
        # Of many, the first: nodes cancel the others, some at a time.
        waiting = Run.objects.active().filter(job=stored, held=True).order_by("pk").values("pk")[:_MOST_AT_ONCE]
        Run.objects.filter(pk__in=waiting, finished_at=None).update(
            state=RunState.CANCELLED, finished_at=database_now(), **reasons.columns(reasons.JOB_DELETED())
        )
        rows.delete(job=stored, author=_author(actor, via, reason))


def _lock(job: Job | str) -> Job:
    """Lock a job. The clock is read after that: until then a node may account for fire times up to its own now."""
    if isinstance(job, str):
        return rows.lock(id=job)
    try:
        return rows.lock(id=job.pk)
    except JobNotFound:
        raise JobNotFound(error_messages.JOB_DELETED_MEANWHILE(name=job.name, id=f"{job.pk}")) from None


aget = asynchronous(get)
acreate = asynchronous(create)
aupdate = asynchronous(update)
apause = asynchronous(pause)
aresume = asynchronous(resume)
arun_now = asynchronous(run_now)
aremove = asynchronous(remove)
