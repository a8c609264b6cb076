"""Drift: what people changed of declared jobs since the last synchronisation, and the two ways out of it."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import F, OuterRef, Q, Subquery

from scheduler.core import reasons, triggers
from scheduler.core.declarations import REMOVED, Drift, unflatten
from scheduler.core.states import Via
from scheduler.models import Declaration as Row
from scheduler.models import Job
from scheduler.services import jobs
from scheduler.services.declarations import comparing


def of_job(*, id: str) -> Row | None:
    """Return the declaration that a job belongs to, as it was at the last synchronisation."""
    return Row.objects.filter(job_key=id).first()


def drift(*, job: Job) -> tuple[Drift, ...]:
    """Return the fields that a person changed since the last synchronisation. Empty for jobs without a declaration."""
    row = of_job(id=job.pk)
    if row is None or not row.is_declared:
        return ()
    return _drift(row=row, job=job)


def kept(*, job: Job) -> tuple[Drift, ...]:
    """Return the fields that a person changed and chose to keep."""
    row = of_job(id=job.pk)
    if row is None or not row.is_declared:
        return ()
    return tuple(each for each in _differing(row=row, job=job) if each.field in row.kept)


def _drift(*, row: Row, job: Job) -> tuple[Drift, ...]:
    return tuple(each for each in _differing(row=row, job=job) if each.field not in row.kept)


def _differing(*, row: Row, job: Job) -> tuple[Drift, ...]:
    present = comparing.stored(job)
    return tuple(
        Drift(field=name, declared=value, stored=present.get(name, REMOVED))
        for name, value in row.declared.items()
        if not comparing.is_same(name, value, present.get(name, REMOVED))
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
    row.has_drift = bool(_drift(row=row, job=job))
    row.save(update_fields=["kept", "has_drift"])
    return tuple(row.kept)


def take(*, job: Job, fields: Iterable[str] = (), actor: str = "", via: Via | str = Via.CODE) -> Job:
    """
    Bring fields of a job back to their values at the last synchronisation.

    Without ``fields`` all that drifted, or all that a person chose to keep if none did. A secret is remembered as a
    digest, and comes back with the next synchronisation that asks for it.
    """
    drifted, chosen_to_keep = drift(job=job), kept(job=job)
    wanted = set(fields) or {each.field for each in drifted or chosen_to_keep}
    chosen = {
        each.field: each.declared
        for each in (*drifted, *chosen_to_keep)
        if each.field in wanted and not comparing.is_digest(each.declared)
    }
    if not chosen:
        return job
    _forget_kept(id=job.pk, fields=chosen)
    plain = {name: comparing.opened(value) for name, value in job.kwargs.items()}
    changes = unflatten(chosen, kwargs=plain)
    return jobs.update(job=job, actor=actor, via=via, reason=reasons.DECLARED_VALUE_TAKEN(), **changes)


def _forget_kept(*, id: str, fields: Iterable[str]) -> None:
    row = of_job(id=id)
    if row is not None and not set(row.kept).isdisjoint(fields):
        row.kept = sorted(set(row.kept) - set(fields))
        row.save(update_fields=["kept"])


def drifted_jobs() -> tuple[str, ...]:
    """
    Return the ids of all jobs that have drift.

    Only jobs whose version is another one than at the last synchronisation, or that had drift then, are compared.
    """
    version = Job.objects.filter(pk=OuterRef("job_key")).values("version")[:1]
    rows = Row.objects.filter(is_declared=True).annotate(version=Subquery(version)).exclude(version=None)
    suspects = {row.job_key: row for row in rows.filter(Q(has_drift=True) | ~Q(job_version=F("version")))}
    suspects |= {row.job_key: row for row in rows.filter(job_version=None)}
    found = Job.objects.defer("job_state").filter(pk__in=suspects)
    with triggers.parsing_once():
        return tuple(job.pk for job in found if _drift(row=suspects[job.pk], job=job))
