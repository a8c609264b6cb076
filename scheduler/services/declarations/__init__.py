"""
Declared jobs: definitions in code and files, synchronised into the table of jobs.

``plan`` reports what a synchronisation would change. ``apply`` carries it out. A person's edit is never overwritten
unless the declaration asks for it, a deleted job stays deleted, and a job that disappears from its source is paused.
The rules are in ``scheduler.core.declarations``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from scheduler import conf
from scheduler.core import reasons, triggers
from scheduler.core.declarations import REMOVED, Drift, unflatten
from scheduler.core.states import Via
from scheduler.models import Declaration as Row
from scheduler.models import Job
from scheduler.services import jobs
from scheduler.services.declarations import applying, comparing, planning
from scheduler.services.declarations.collecting import Collected, LoadError, collect
from scheduler.services.declarations.planning import Action, Options, Step
from scheduler.store.clock import database_now
from scheduler.store.jobs.authorship import Author

__all__ = ["Action", "Options", "Step", "Synchronisation", "apply", "drift", "keep", "of_job", "plan", "take"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Synchronisation:
    """The steps of a plan, or of what was done."""

    steps: tuple[Step, ...]
    errors: tuple[LoadError, ...]
    """Errors while reading. As long as one exists, jobs never count as dropped."""

    @property
    def has_changes(self) -> bool:
        return any(step.has_changes for step in self.steps)

    @property
    def is_refused(self) -> bool:
        return bool(self.errors) or any(step.action is Action.REFUSED for step in self.steps)


def plan(*, options: Options = Options(), collected: Collected | None = None) -> Synchronisation:  # noqa: B008
    """Return what ``apply`` would do now, without doing it."""
    collected = collected or collect()
    now = database_now()
    keys = frozenset(declaration.key for declaration in collected.declarations)
    with triggers.parsing_once():
        steps = list(planning.decide(declarations=collected.declarations, keys=keys, options=options, now=now))
    if collected.is_complete and not collected.errors:
        steps += planning.dropped(declarations=collected.declarations, options=options, owner=collected.owner)
    return Synchronisation(steps=tuple(steps), errors=collected.errors)


def apply(
    *,
    options: Options = Options(),  # noqa: B008
    collected: Collected | None = None,
    actor: str = "",
    via: Via | str = Via.CODE,
    reason: str = "",
    on_step: Callable[[Step], None] | None = None,
) -> Synchronisation:
    """
    Bring the jobs to what code and files declare, and return what was done.

    It is idempotent. ``on_step`` is called after each batch with its steps.
    """
    collected = collected or collect()
    release = conf.get().release
    reason = reason or (reasons.DECLARED_IN(release=release) if release else reasons.DECLARED_AGAIN())
    author = Author(actor=actor, via=Via(via), reason=reason)
    steps = applying.apply(collected=collected, options=options, author=author, on_step=on_step)
    return Synchronisation(steps=steps, errors=collected.errors)


def of_job(*, id: str) -> Row | None:
    """Return the declaration that a job belongs to, as it was at the last synchronisation."""
    return Row.objects.filter(job_key=id).first()


def drift(*, job: Job) -> tuple[Drift, ...]:
    """Return the fields that a person changed since the last synchronisation. Empty for jobs without a declaration."""
    row = of_job(id=job.pk)
    if row is None or not row.is_declared:
        return ()
    return _drift(row=row, job=job)


def _drift(*, row: Row, job: Job) -> tuple[Drift, ...]:
    now = database_now()
    present = comparing.stored(job)
    return tuple(
        Drift(field=name, declared=value, stored=present.get(name, REMOVED))
        for name, value in row.declared.items()
        if name not in row.kept and not comparing.is_same(name, value, present.get(name, REMOVED), now=now)
    )


def keep(*, job: Job, fields: Iterable[str] = ()) -> tuple[str, ...]:
    """
    Keep the stored values of fields that drifted, without reporting them until the source changes them.

    Without ``fields`` all of them. Returns the fields that are kept now.
    """
    row = of_job(id=job.pk)
    if row is None:
        return ()
    drifted = {each.field for each in _drift(row=row, job=job)}
    row.kept = sorted({*row.kept, *(drifted & set(fields) if fields else drifted)})
    row.save(update_fields=["kept"])
    return tuple(row.kept)


def take(*, job: Job, fields: Iterable[str] = (), actor: str = "", via: Via | str = Via.CODE) -> Job:
    """
    Bring fields of a job back to their values at the last synchronisation. Without ``fields``, all that drifted.

    A secret is remembered as a digest, and comes back with the next synchronisation that asks for it.
    """
    drifted = {each.field: each.declared for each in drift(job=job)}
    chosen = {
        name: value
        for name, value in drifted.items()
        if (not fields or name in set(fields)) and not comparing.is_digest(value)
    }
    if not chosen:
        return job
    plain = {name: comparing.opened(value) for name, value in job.kwargs.items()}
    changes = unflatten(chosen, kwargs=plain)
    return jobs.update(job=job, actor=actor, via=via, reason=reasons.DECLARED_VALUE_TAKEN(), **changes)
