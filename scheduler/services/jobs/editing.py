"""The columns that an edit or a resumption changes, and many edits in a few statements."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scheduler.core import error_messages, triggers
from scheduler.core.definition import POLICIES
from scheduler.core.jobs import names
from scheduler.core.jobs import policies as policy_rules
from scheduler.core.states import JobState
from scheduler.errors import StaleVersion
from scheduler.messages import phrase
from scheduler.models import Job
from scheduler.services import masking
from scheduler.services.queries import job_history, job_queries
from scheduler.store.jobs import rows

_WORDS = ("name", "description", "tags")
_CALL = ("task", "args", "kwargs")


def edited(*, job: Job, changes: Mapping[str, Any], now: datetime, is_restored: bool = False) -> dict[str, Any]:
    """
    Return the columns that an edit of a locked job changes. ``changes`` are parts of a definition.

    Fire times that are due by the former trigger are entered into the ledger, after everything was checked.

    :raises UnknownTask, InvalidArguments, InvalidTrigger, InvalidPolicy, InvalidName: no row was written
    """
    new: dict[str, Any] = {name: changes[name] for name in _WORDS if name in changes}
    if "name" in new:
        names.checked_name(new["name"])
    if "description" in new:
        names.checked_description(new["description"])
    if "tags" in new:
        new["tags"] = names.checked_tags(new["tags"])
    new |= policy_rules.check({name: changes[name] for name in POLICIES if name in changes})
    if changes.get("executor", job.executor) != job.executor:
        job_queries.check_executor(executor=changes["executor"])
    if any(name in changes for name in _CALL):
        if not is_restored:
            masking.check_destination(job=job, changes=changes)
        new |= _call(job, changes)
    if "trigger" in changes:
        new |= rows.reschedule(job=job, trigger=changes["trigger"], now=now)
    if job.state == JobState.BROKEN:
        new |= rows.heal(job=job, changes=new, now=now)
    return new


def _call(job: Job, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Check task and arguments together, those that stay included."""
    task = changes.get("task", job.task)
    args, kwargs = rows.check_arguments(
        task=task, args=changes.get("args", job.args), kwargs=changes.get("kwargs", job.kwargs), job=job.pk
    )
    return {"task": task, "args": args, "kwargs": kwargs}


def resumed(*, job: Job, now: datetime) -> dict[str, Any]:
    """
    Return the columns that resuming a paused job changes: it is due at its first fire time after ``now``.

    :raises UnknownTask, InvalidArguments, InvalidTrigger: it cannot run
    """
    rows.check_arguments(task=job.task, args=job.args, kwargs=job.kwargs, job=job.pk)
    normalized = triggers.normalize(job.trigger, now=now)
    next_fire_time = triggers.fire_time_when_resumed(normalized, now=now)
    return {"trigger": normalized, "consecutive_failures": 0, **rows.due(next_fire_time)}


def stale(*, job: Job, version: int) -> StaleVersion:
    """Return the error that names who changed the job since that version was read, and which fields."""
    seen = job_history.since(job=job, version=version)
    values = {
        "name": job.name,
        "who": (seen[0].actor if seen else job.updated_by) or phrase("somebody"),
        "version": job.version,
        "yours": version,
    }
    if not seen:
        return StaleVersion(
            error_messages.CHANGED_MEANWHILE(
                **values,
            )
        )
    return StaleVersion(
        error_messages.CHANGED_MEANWHILE_IN(
            what=job_history.brief(change=seen[0]),
            **values,
        )
    )
