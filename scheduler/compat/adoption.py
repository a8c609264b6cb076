"""Adoption: rows that stock django-apscheduler wrote become jobs, when a deployer asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models.functions import Length
from django_apscheduler.models import DjangoJob

from scheduler import conf
from scheduler.core import reasons, triggers
from scheduler.core.definition import NAMES
from scheduler.core.jobs import policies
from scheduler.core.states import JobSource, JobState, Via
from scheduler.core.tasks.registry import registry
from scheduler.errors import SchedulerError, UnreadableState
from scheduler.models import Job
from scheduler.services.jobs import building
from scheduler.services.queries import job_queries
from scheduler.store import database
from scheduler.store.clock import database_now
from scheduler.store.jobs import rows
from scheduler.store.jobs.authorship import Author
from scheduler.store.stock import stock_state, unpickling


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome for one row."""

    id: str
    is_taken: bool
    text: str
    """The task and the trigger of the job, or the reason why the row was left as it is."""


def unadopted_count() -> int:
    """Return how many rows of stock django-apscheduler are not jobs of the scheduler."""
    count: int = DjangoJob.objects.filter(job__isnull=True).count()
    return count


def adopt(
    *,
    dry_run: bool = False,
    actor: str = "",
    via: Via | str = Via.CODE,
    now: datetime | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> tuple[Outcome, ...]:
    """
    Make a job of every row of stock django-apscheduler, by id, each in a transaction of its own.

    It keeps its id, its next run time and its stored state. Rows that cannot be adopted stay as they are. Functions
    named by a row are never imported. ``on_outcome`` is called for each row.
    """
    now = now or database_now()
    outcomes = []
    for job_id in DjangoJob.objects.filter(job__isnull=True).order_by("pk").values_list("pk", flat=True):
        outcome = _adopt_one(job_id, dry_run=dry_run, actor=actor, via=Via(via), now=now)
        if outcome is None:
            continue
        outcomes.append(outcome)
        if on_outcome is not None:
            on_outcome(outcome)
    return tuple(outcomes)


def _adopt_one(job_id: str, *, dry_run: bool, actor: str, via: Via, now: datetime) -> Outcome | None:
    """Adopt one row. ``None`` if it was adopted or deleted meanwhile."""
    with database.atomic():
        if not rows.is_unadopted(id=job_id):
            return None
        try:
            job = _job(_row(job_id), actor=actor, now=now)
        except SchedulerError as error:
            return Outcome(id=job_id, is_taken=False, text=str(error))
        if not dry_run:
            rows.adopt(job=job, author=Author(actor=actor, via=via))
    when = triggers.describe(job.trigger)
    paused = ", paused" if job.state == JobState.PAUSED else ""
    return Outcome(id=job_id, is_taken=True, text=f"{job.task}, {when}{paused}")


def _row(job_id: str) -> DjangoJob:
    """
    Return a stock row, after asking how large it is.

    :raises UnreadableState: it is too large to be fetched
    """
    size = DjangoJob.objects.filter(pk=job_id).values_list(Length("job_state"), flat=True).get()
    if size > unpickling.MAX_BYTES:
        raise UnreadableState(f"Its state takes {size:,} bytes; at most {unpickling.MAX_BYTES:,} are read.")
    return DjangoJob.objects.get(pk=job_id)


def _job(row: DjangoJob, *, actor: str, now: datetime) -> Job:
    """
    Return the job that a stock row stands for, not written yet.

    :raises UnreadableState, UnknownTask, InvalidArguments, InvalidTrigger, InvalidPolicy: why it cannot be taken
    """
    state = stock_state.read(bytes(row.job_state))
    if state.id != row.pk:
        raise UnreadableState(f"Its state belongs to another job, {state.id[:64]!a}.")
    if state.own is not None:
        return _own_job(row, state.own, actor=actor, now=now)
    task = registry.get(registry.name_of(state.func))
    args, kwargs = rows.check_arguments(task=task.name, args=state.args, kwargs=state.kwargs, job=row.pk)
    job_queries.check_executor(executor=state.executor)
    given = {
        "executor": state.executor,
        "coalesce": state.coalesce,
        "max_instances": state.max_instances,
        "misfire_grace_time": state.misfire_grace_time,
    }
    return Job(
        id=row.pk,
        next_run_time=row.next_run_time,
        name=_printable(state.name) or task.name,
        task=task.name,
        args=args,
        kwargs=kwargs,
        trigger=triggers.normalize(state.trigger, now=now),
        source=JobSource.CODE,
        state_changed_at=now,
        state_changed_by=actor,
        created_at=now,
        created_by=actor,
        updated_at=now,
        updated_by=actor,
        needs_inspection=False,
        **_state(row),
        **{**policies.defaults(task=task, settings=conf.get()), **policies.check(given)},
    )


def _own_job(row: DjangoJob, own: Mapping[str, Any], *, actor: str, now: datetime) -> Job:
    """
    Return the job that this row was before it was left to stock, which has not written it since.

    :raises UnreadableState, UnknownTask, InvalidArguments, InvalidTrigger, InvalidPolicy: why it cannot be taken
    """
    definition, state = own.get("definition"), own.get("state")
    if not isinstance(definition, dict) or not {"task", "trigger"} <= definition.keys():
        raise UnreadableState("Its own definition is damaged.")
    given = {"args": (), "kwargs": {}, **{name: definition[name] for name in NAMES if name in definition}}
    is_paused = state == JobState.PAUSED
    job = building.unsaved(id=row.pk, given=given, source=JobSource.CODE, paused=is_paused, actor=actor, now=now)
    if is_paused:
        job.reason_code, job.reason_params, job.reason_text = _reason(own.get("reason"))
    elif state == JobState.FINISHED:
        job.next_run_time, job.state = None, JobState.FINISHED
    elif row.next_run_time is not None:
        job.next_run_time = row.next_run_time
    return job


def _reason(stored: object) -> tuple[str, dict[str, Any] | None, str]:
    """Return code, parameters and text of a reason, of the types that they have."""
    code, params, text = stored if isinstance(stored, list) and len(stored) == 3 else ("", None, "")
    return str(code)[:64], params if isinstance(params, dict) else None, str(text)[:2000]


def _state(row: DjangoJob) -> dict[str, Any]:
    if row.next_run_time is None:
        return {"state": JobState.PAUSED, **reasons.columns(reasons.ADOPTED_PAUSED())}
    return {"state": JobState.ACTIVE, **reasons.columns(None)}


def _printable(name: str) -> str:
    return "".join(character for character in name if character.isprintable())[:255]
