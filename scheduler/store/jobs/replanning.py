"""
Jobs whose calendars have changed: their triggers and their next fire times follow, job by job.

A job has the old calendars or the new ones, and its next fire time with them: both are written in one transaction that
holds the lock on the job. Fire times that are due already stay due, and are planned by the new calendars.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import OperationalError

from scheduler.core import reasons, triggers
from scheduler.core.planning import calendar_changes
from scheduler.core.planning.calendar_changes import Settled
from scheduler.core.states import JobState, RunState, Via
from scheduler.errors import InvalidTrigger, JobNotFound
from scheduler.messages import Message
from scheduler.models import Job, Run
from scheduler.store import calendars, database
from scheduler.store.clock import database_now
from scheduler.store.jobs import rows
from scheduler.store.jobs.authorship import Author
from scheduler.store.measuring import measures
from scheduler.store.sessions.drivers import sqlstate
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

Execute = measures.Execute

_LOCKED = ("55P03", "57014")


def find(*, after: str = "", limit: int, execute: Execute = measures.execute) -> tuple[str, ...]:
    """Return the next jobs whose triggers do not have their calendars as these are now, by id."""
    return tuple(job for (job,) in execute("find_jobs_with_other_calendars", after=after, limit=limit))


def replan_many(
    *, jobs: Sequence[str], actor: str = "", via: Via | str = Via.SCHEDULER, lock_seconds: float | None = None
) -> int:
    """
    Bring jobs to their calendars as they are now, each in a transaction of its own; return how many that changed.

    A job that cannot follow keeps the calendars that it has. ``lock_seconds``: a job that somebody has locked for
    longer comes with the next call of ``find``.
    """
    done = 0
    for job in jobs:
        try:
            done += replan(job=job, actor=actor, via=via, lock_seconds=lock_seconds)
        except InvalidTrigger as error:
            logger.warning(events.CALENDAR_NOT_FOLLOWED, extra={"job": job, "error": str(error)})
        except OperationalError as error:
            if sqlstate(error.__cause__) not in _LOCKED:
                raise
            logger.warning(events.CALENDAR_NOT_FOLLOWED, extra={"job": job, "error": str(error).strip()})
    return done


def replan(
    *,
    job: str,
    actor: str = "",
    via: Via | str = Via.SCHEDULER,
    lock_seconds: float | None = None,
    now: datetime | None = None,
) -> bool:
    """
    Bring a job to its calendars as they are now; return whether that changed anything.

    :raises InvalidTrigger: a calendar is gone, leaves out every fire time, or makes planning too costly. Nothing was
        changed
    """
    with database.atomic():
        if lock_seconds is not None:
            _set("lock_timeout", f"{int(1000 * lock_seconds)}ms")
        try:
            stored = rows.lock(id=job)
        except JobNotFound:
            return False
        now = now or database_now()
        if stored.state not in (JobState.ACTIVE, JobState.PAUSED):
            return False
        changes = _changes(stored, now)
        if not changes:
            return False
        reason = reasons.CALENDAR_CHANGED(calendar=", ".join(_other_pins(stored.trigger, changes["trigger"])))
        # What is due stays due: nothing is passed over.
        _set("scheduler.accounts", "claim")
        rows.save(job=stored, changes=changes, author=Author(actor=actor, via=Via(via), reason=reason), now=now)
        _set("scheduler.accounts", "")
    return True


def _set(name: str, value: str) -> None:
    with database.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, true)", [name, value])


def _other_pins(before: Any, after: Any) -> list[str]:
    """Return the names of the calendars that are others in two stored triggers."""
    one, other = ({**form.get("calendars", {}), **form.get("windows", {})} for form in (before, after))
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def _changes(job: Job, now: datetime) -> dict[str, Any]:
    before = triggers.parse(job.trigger)
    form = calendars.with_windows(job.trigger, tags=job.tags, among=calendars.windows())
    after_form = triggers.normalize(form, now=now) if triggers.has_calendars(form) else form
    if after_form == job.trigger:
        return {}
    changes: dict[str, Any] = {"trigger": after_form}
    is_to_come = job.state == JobState.ACTIVE and job.next_run_time is not None and job.next_run_time > now
    # Somebody may have set when it is due next: that stays.
    if is_to_come and before.next_after(now) == job.next_run_time:
        settled = calendar_changes.settle(before=before, after=triggers.parse(after_form), now=now)
        _enter(job, settled, now)
        changes |= rows.due(settled.next_fire_time)
    return changes


def _enter(job: Job, settled: Settled, now: datetime) -> None:
    Run.objects.bulk_create([_skipped(job, at, reason, now) for at, reason in settled.skipped], ignore_conflicts=True)


def _skipped(job: Job, at: datetime, reason: Message, now: datetime) -> Run:
    return Run.of(job, scheduled_at=at, now=now, state=RunState.SKIPPED, finished_at=now, **reasons.columns(reason))
