"""Synchronising: the plan is computed again under a lock, batch by batch, and carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from scheduler import conf
from scheduler.core import reasons
from scheduler.core.declarations import Declaration, unflatten
from scheduler.core.states import JobSource, JobState, Via
from scheduler.errors import SchedulerError
from scheduler.models import Declaration as Row
from scheduler.services import jobs, transactions
from scheduler.services.declarations import comparing, planning
from scheduler.services.declarations.collecting import Collected
from scheduler.services.declarations.planning import Action, Options, Step
from scheduler.services.jobs.creation import create_many
from scheduler.store.clock import database_now
from scheduler.store.jobs.declared import lock

_BATCH = 200

_NOTED = (
    "key",
    "source",
    "origin",
    "declared",
    "owner",
    "template_version",
    "parameters",
    "release",
    "is_declared",
    "paused_at",
    "synced_at",
)

DROPPED = reasons.NO_LONGER_DECLARED()


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """The actor of the synchronisation."""

    actor: str
    via: Via
    reason: str


def apply(
    *, collected: Collected, options: Options, author: Author, on_step: Callable[[Step], None] | None = None
) -> tuple[Step, ...]:
    """
    Carry out what a plan of these declarations says, and return each step as it was done.

    Each batch is a transaction under an advisory lock, planned anew inside it: two synchronisations at once never mix
    within a job. Jobs are dropped only if all sources could be read.
    """
    done: list[Step] = []
    for batch in _batches(collected.declarations):
        with transactions.atomic():
            lock()
            now = database_now()
            steps = list(planning.decide(declarations=batch, options=options, now=now, lock=True))
            created = _create([step for step in steps if step.action is Action.CREATE], author=author, now=now)
            steps = [created.get(step.key) or _carry_out(step, author=author, now=now) for step in steps]
        done += _told(steps, on_step)
    if collected.is_complete and not collected.errors:
        done += _drop(collected=collected, options=options, author=author, on_step=on_step)
    return tuple(done)


def _batches(declarations: Sequence[Declaration]) -> Iterator[Sequence[Declaration]]:
    for start in range(0, len(declarations), _BATCH):
        yield declarations[start : start + _BATCH]


def _told(steps: Iterable[Step], on_step: Callable[[Step], None] | None) -> list[Step]:
    steps = list(steps)
    for step in steps:
        if on_step is not None:
            on_step(step)
    return steps


def _create(steps: Sequence[Step], *, author: Author, now: datetime) -> dict[str, Step]:
    """Create the jobs of a batch in a few statements. Return each step as it was done, by key."""
    definitions = {step.key: {"name": step.key, **unflatten(step.flat, kwargs={})} for step in steps}
    done = create_many(definitions=definitions, source=JobSource.CODE, now=now, **facts_of(author))
    errors = {each.id: each.error for each in done}
    made = [step for step in steps if errors[step.key] is None]
    Row.objects.bulk_create(
        [Row(job_key=step.key, **_remembered(step, now=now)) for step in made],
        update_conflicts=True,
        unique_fields=["job_key"],
        update_fields=_NOTED,
    )
    return {
        step.key: replace(step, job=step.key)
        if errors[step.key] is None
        else replace(step, action=Action.REFUSED, text=str(errors[step.key]))
        for step in steps
    }


def _carry_out(step: Step, *, author: Author, now: datetime) -> Step:
    """Do one step in a savepoint: what is refused leaves the others of the batch alone."""
    if step.action not in (Action.ADOPT, Action.UPDATE):
        return step
    try:
        with transactions.atomic():
            job = _update(step, author, now)
            _remember(step, job=job, now=now)
    except SchedulerError as error:
        return replace(step, action=Action.REFUSED, text=str(error))
    return replace(step, job=job)


def _update(step: Step, author: Author, now: datetime) -> str:
    job = jobs.get(id=step.job)
    if step.write:
        plain = {name: comparing.opened(value) for name, value in job.kwargs.items()}
        job = jobs.update(job=job, **facts_of(author), now=now, **unflatten(step.write, kwargs=plain))
    if step.resumes and job.state == JobState.PAUSED:
        jobs.resume(job=job, **facts_of(author), now=now)
    return str(job.pk)


def facts_of(author: Author) -> dict[str, Any]:
    return {"actor": author.actor, "via": author.via, "reason": author.reason}


def _remembered(step: Step, *, now: datetime) -> dict[str, Any]:
    """Return what is noted of a declaration, so that the next synchronisation sees who changed what."""
    declaration = step.declaration
    assert declaration is not None  # noqa: S101 - of steps that write there is one
    return {
        "key": step.key,
        "source": step.source,
        "origin": step.origin[:255],
        "declared": comparing.remembered(step.flat),
        "release": "" if declaration.owner else conf.get().release,
        "owner": declaration.owner,
        "template_version_id": declaration.template_version,
        "parameters": declaration.parameters,
        "is_declared": True,
        "paused_at": None,
        "synced_at": now,
    }


def _remember(step: Step, *, job: str, now: datetime) -> None:
    facts = _remembered(step, now=now)
    row, is_new = Row.objects.get_or_create(job_key=job, defaults=facts)
    if is_new:
        return
    # What the source changed, or a person brought back, counts again.
    kept = {each.field for each in step.drift} & set(row.kept) - set(step.conflicts)
    Row.objects.filter(pk=row.pk).update(**facts, kept=sorted(kept))


def _drop(
    *, collected: Collected, options: Options, author: Author, on_step: Callable[[Step], None] | None
) -> list[Step]:
    keys = {name for each in collected.declarations for name in (each.key, *each.previous_keys)}
    with transactions.atomic():
        lock()
        steps = list(planning.dropped(keys=keys, options=options, owner=collected.owner))
    done: list[Step] = []
    for start in range(0, len(steps), _BATCH):
        with transactions.atomic():
            lock()
            batch = [_dropped(step, author=author) for step in steps[start : start + _BATCH]]
        done += _told(batch, on_step)
    return done


def _dropped(step: Step, *, author: Author) -> Step:
    if not step.has_changes:
        return step
    row = Row.objects.filter(key=step.key, is_declared=True).first()
    if row is None:
        return replace(step, action=Action.UNCHANGED)
    row.is_declared, row.release = False, conf.get().release or row.release
    if step.action is Action.PAUSE:
        row.paused_at = _paused_at(step, author=author)
    row.save(update_fields=["is_declared", "release", "paused_at"])
    return step


def _paused_at(step: Step, *, author: Author) -> datetime | None:
    """Pause the job of a dropped declaration, unless it is paused, over or gone. Return when."""
    try:
        job = jobs.get(id=step.job)
        if job.state == JobState.PAUSED or job.state == JobState.FINISHED:
            return None
        paused = jobs.pause(job=job, actor=author.actor, via=author.via, reason=DROPPED)
    except SchedulerError:
        return None
    return paused.state_changed_at
