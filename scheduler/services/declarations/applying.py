"""Synchronising: the plan is computed again under a lock, batch by batch, and carried out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from scheduler import conf
from scheduler.core import error_messages, reasons, triggers
from scheduler.core.declarations import Declaration, unflatten
from scheduler.core.states import ChangeAction, JobState
from scheduler.errors import JobNotFound, SchedulerError
from scheduler.models import Declaration as Row
from scheduler.models import Job
from scheduler.services import transactions
from scheduler.services.declarations import comparing, planning
from scheduler.services.declarations.collecting import Collected
from scheduler.services.declarations.steps import Action, Options, Step
from scheduler.services.jobs import editing
from scheduler.services.jobs.creation import create_many
from scheduler.store.clock import database_now
from scheduler.store.jobs import batches, rows
from scheduler.store.jobs.authorship import Author
from scheduler.store.jobs.batches import Edit
from scheduler.store.jobs.declared import lock, remember

_BATCH = 200

_CHANGING = (Action.ADOPT, Action.UPDATE)

DROPPED = reasons.NO_LONGER_DECLARED()


def apply(
    *, collected: Collected, options: Options, author: Author, on_step: Callable[[Step], None] | None = None
) -> tuple[Step, ...]:
    """
    Carry out what a plan of these declarations says, and return each step as it was done.

    Each batch is a transaction under an advisory lock, planned anew inside it: two synchronisations at once never mix
    within a job. Jobs are dropped only if all sources could be read.
    """
    done: list[Step] = []
    keys = frozenset(declaration.key for declaration in collected.declarations)
    for batch in _batches(collected.declarations):
        with transactions.atomic(), triggers.parsing_once():
            lock()
            now = database_now()
            steps = list(planning.decide(declarations=batch, keys=keys, options=options, lock=True))
            new = [step for step in steps if step.action is Action.CREATE]
            created = _create(new, options=options, author=author, now=now)
            changed = _change([step for step in steps if step.action in _CHANGING], author=author)
            steps = [created.get(step.key) or changed.get(step.key) or step for step in steps]
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


def _create(steps: Sequence[Step], *, options: Options, author: Author, now: datetime) -> dict[str, Step]:
    """Create the jobs of a batch in a few statements. Return each step as it was done, by key."""
    definitions = {step.key: {"name": step.key, **unflatten(step.flat, kwargs={})} for step in steps}
    how: dict[str, Any] = {"source": options.job_source, "paused": options.paused}
    done = create_many(definitions=definitions, now=now, **how, **facts_of(author))
    errors = {each.id: each.error for each in done}
    made = [step for step in steps if errors[step.key] is None]
    _remember([(step, step.key, 1) for step in made], now=now)
    return {step.key: _outcome(step, job=step.key, error=errors[step.key]) for step in steps}


def _outcome(step: Step, *, job: str, error: SchedulerError | None) -> Step:
    if error is None:
        return replace(step, job=job, stored=None)
    return replace(step, action=Action.REFUSED, text=error.message, stored=None)


def _change(steps: Sequence[Step], *, author: Author) -> dict[str, Step]:
    """Change the jobs of a batch in a few statements. A rejected change leaves the others alone."""
    if not steps:
        return {}
    found = {step.job: step.stored for step in steps if step.stored is not None}
    found |= batches.locked(ids=[step.job for step in steps if step.job not in found])
    now = database_now()  # until they are locked, nodes may account for fire times up to their own now
    edits: list[Edit] = []
    resumptions: list[Edit] = []
    errors: dict[str, SchedulerError | None] = {}
    for step in steps:
        try:
            edit, resumption = _edits(step, found.get(step.job), now=now)
        except SchedulerError as error:
            errors[step.key] = error
            continue
        errors[step.key] = None
        edits += [edit] if edit.changes else []
        resumptions += [resumption] if resumption.changes else []
    for each in (edits, resumptions):
        batches.save_many(edits=each, author=author, now=now)
    _remember([(step, step.job, found[step.job].version) for step in steps if errors[step.key] is None], now=now)
    return {step.key: _outcome(step, job=step.job, error=errors[step.key]) for step in steps}


def _edits(step: Step, job: Job | None, *, now: datetime) -> tuple[Edit, Edit]:
    """Return what a step changes about its job, and then what resumes it; without changes where it does not."""
    if job is None:
        raise JobNotFound(error_messages.NO_SUCH_JOB(id=step.job))
    plain = {name: comparing.opened(value) for name, value in job.kwargs.items()} if step.write else {}
    columns = editing.edited(job=job, changes=unflatten(step.write, kwargs=plain), now=now) if step.write else {}
    if not step.resumes or job.state != JobState.PAUSED:
        return Edit(job, columns), Edit(job, {})
    after = copy.copy(job)
    for name, value in columns.items():
        setattr(after, name, value)
    return Edit(job, columns), Edit(job, editing.resumed(job=after, now=now))


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
        "declared": step.noted or comparing.remembered(step.flat),
        "release": "" if declaration.owner else conf.get().release,
        "owner": declaration.owner,
        "template_version_id": declaration.template_version,
        "parameters": declaration.parameters,
        "kept": sorted(step.kept),
        "has_drift": bool(step.drift),
        "is_declared": True,
        "paused_at": None,
        "synced_at": now,
    }


def _remember(done: Sequence[tuple[Step, str, int]], *, now: datetime) -> None:
    """Note the declarations of a batch with the ids and the versions of their jobs."""
    # Another job may have taken the place of one that a person deleted: its row makes room.
    Row.objects.filter(job_key__in=[step.job for step, job, _ in done if step.job != job]).delete()
    noted = ({**_remembered(step, now=now), "job_key": job, "job_version": version} for step, job, version in done)
    remember(rows=list(noted))


def _drop(
    *, collected: Collected, options: Options, author: Author, on_step: Callable[[Step], None] | None
) -> list[Step]:
    declarations = collected.declarations
    with transactions.atomic():
        lock()
        steps = list(planning.dropped(declarations=declarations, options=options, owner=collected.owner))
    done: list[Step] = []
    for start in range(0, len(steps), _BATCH):
        with transactions.atomic():
            lock()
            batch = _dropped(steps[start : start + _BATCH], author=author, now=database_now())
        done += _told(batch, on_step)
    return done


def _dropped(steps: Sequence[Step], *, author: Author, now: datetime) -> list[Step]:
    """Carry out what happens to declarations that are gone: jobs are paused, or go on as ordinary ones."""
    release = conf.get().release
    found = Row.objects.filter(key__in=[step.key for step in steps if step.has_changes], is_declared=True)
    present = {row.key: row for row in found}
    paused = _pause([present[step.key].job_key for step in steps if _pauses(step, present)], author=author, now=now)
    for row in present.values():
        row.is_declared, row.release = False, release or row.release
        row.paused_at = now if row.job_key in paused else row.paused_at
    Row.objects.bulk_update(present.values(), ["is_declared", "release", "paused_at"])
    return [
        step if step.key in present or not step.has_changes else replace(step, action=Action.UNCHANGED)
        for step in steps
    ]


def _pauses(step: Step, present: Mapping[str, Row]) -> bool:
    return step.action is Action.PAUSE and step.key in present


def _pause(ids: Sequence[str], *, author: Author, now: datetime) -> frozenset[str]:
    """Pause the jobs of dropped declarations, unless they are paused, over or gone. Return those that were paused."""
    found = batches.locked(ids=ids).values()
    edits = [
        Edit(job, rows.pause(job=job, reason=DROPPED, now=now))
        for job in found
        if job.state not in (JobState.PAUSED, JobState.FINISHED)
    ]
    pausing = replace(author, reason=DROPPED, action=ChangeAction.PAUSED)
    batches.save_many(edits=edits, author=pausing, now=now)
    return frozenset(edit.job.pk for edit in edits)
