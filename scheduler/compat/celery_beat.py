"""Taking over the periodic tasks of django-celery-beat, whose tables are read and never changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import ProgrammingError, connections, router, transaction

from scheduler.compat import celery_schedules
from scheduler.core import reasons, triggers
from scheduler.core.states import JobSource, Via
from scheduler.core.tasks.registry import registry
from scheduler.errors import InvalidArguments, InvalidTrigger, SchedulerError
from scheduler.models import Job
from scheduler.services import jobs
from scheduler.store import database, statements
from scheduler.store.clock import database_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The outcome for one periodic task."""

    name: str
    is_taken: bool
    exists: bool = False
    """A job with this id is there: an earlier call made it, or a person."""

    text: str
    """The task and the trigger of the job with the differences, or the reason for leaving it."""


class NoBeatTables(SchedulerError):
    """The database has no tables of django-celery-beat."""

    code = "no_beat_tables"


def adopt(
    *, dry_run: bool = False, actor: str = "", on_taken: Callable[[Taken], None] | None = None
) -> tuple[Taken, ...]:
    """
    Make a job of each periodic task, each in a transaction of its own. Its id is the task's name.

    A disabled one comes in paused. Tasks that cannot be adopted are left with a sentence. A repetition adopts new ones.

    :raises NoBeatTables: the tables do not exist
    """
    now = database_now()
    found = []
    for row in _rows():
        taken = _take(row, dry_run=dry_run, actor=actor, now=now)
        found.append(taken)
        if on_taken is not None:
            on_taken(taken)
    return tuple(found)


def _rows() -> list[dict[str, Any]]:
    with connections[router.db_for_read(Job)].cursor() as cursor:
        try:
            with transaction.atomic(using=router.db_for_read(Job)):
                cursor.execute(statements.load("celery_beat_tasks"))
        except ProgrammingError:
            raise NoBeatTables from None
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _take(row: Mapping[str, Any], *, dry_run: bool, actor: str, now: datetime) -> Taken:
    name = row["name"]
    if Job.objects.filter(pk=name).exists():
        return Taken(name=name, is_taken=False, exists=True, text="A job with this id exists already.")
    try:
        definition, notes = _definition(row, now=now)
        with database.atomic():
            job = jobs.create(
                id=name,
                source=JobSource.CODE,
                actor=actor,
                via=Via.COMMAND,
                reason=reasons.TAKEN_OVER_FROM_BEAT(),
                paused=not row["enabled"],
                now=now,
                **definition,
            )
            if dry_run:
                transaction.set_rollback(True)
    except SchedulerError as error:
        return Taken(name=name, is_taken=False, text=str(error))
    words = [f"{job.task}, {triggers.describe(job.trigger)}", *(["paused"] if not row["enabled"] else []), *notes]
    return Taken(name=name, is_taken=True, text="; ".join(words))


def _definition(row: Mapping[str, Any], *, now: datetime) -> tuple[dict[str, Any], list[str]]:
    """
    Return the definition of a job and what is different from now on.

    :raises SchedulerError: it cannot be taken, and why
    """
    notes: list[str] = []
    trigger = _trigger(row)
    if row["expires"] is not None:
        trigger["end_at"] = row["expires"].isoformat()
    if row["one_off"] and row["clocked_time"] is None:
        first = triggers.first_fire_time(triggers.normalize(trigger, now=now), now=now)
        if first is None:
            raise InvalidTrigger("It has no further fire time.")
        trigger = {"type": "date", "run_at": first.isoformat()}
        notes.append("once, at its next time")
    definition: dict[str, Any] = {
        "task": registry.name_of(row["task"]),
        "trigger": trigger,
        "name": row["name"],
        "description": row["description"],
        "args": _json(row["args"], list),
        "kwargs": _json(row["kwargs"], dict),
    }
    if row["expire_seconds"] is not None:
        definition["misfire_grace_time"] = row["expire_seconds"]
    if row["queue"]:
        definition["queue"] = row["queue"]
        notes.append(f"in the queue “{row['queue']}”")
    return definition, notes


def _trigger(row: Mapping[str, Any]) -> dict[str, Any]:
    if row["clocked_time"] is not None:
        return {"type": "date", "run_at": row["clocked_time"].isoformat()}
    if row["solar"] is not None:
        raise InvalidTrigger(f"It follows the sun ({row['solar']}). There is no such trigger.")
    if row["every"] is not None:
        every = timedelta(**{row["period"]: row["every"]})
        return celery_schedules.interval(every, last_run_at=row["last_run_at"], start=row["start_time"])
    fields = {
        "minute": row["minute"],
        "hour": row["hour"],
        "day": row["day_of_month"],
        "month": row["month_of_year"],
        "day_of_week": row["day_of_week"],
    }
    trigger = celery_schedules.crontab(fields, timezone=row["timezone"] or settings.TIME_ZONE)
    return trigger if row["start_time"] is None else {**trigger, "start_at": row["start_time"].isoformat()}


def _json(text: str, kind: type) -> Any:
    try:
        found = json.loads(text or "null")
    except ValueError:
        raise InvalidArguments(f"Its arguments are not JSON: {text[:60]}") from None
    return kind() if found is None else found
