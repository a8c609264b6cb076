"""Sealing stored secrets anew: with the present key, and bound to the place that each belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scheduler import sealing
from scheduler.core.states import Via
from scheduler.errors import JobNotFound, SchedulerError
from scheduler.models import Declaration, Job, Run
from scheduler.store import database
from scheduler.store.clock import database_now
from scheduler.store.jobs import rows
from scheduler.store.jobs.authorship import Author

_CALL = ("args", "kwargs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """The result of resealing the secrets of one job, run or instance of a template."""

    what: str
    """``job``, ``run`` or ``instance``."""

    id: str
    error: SchedulerError | None = None
    """The reason why its secrets could not be opened and are unchanged."""


def reseal(*, actor: str = "", via: Via | str = Via.COMMAND, dry_run: bool = False) -> Iterator[Resealed]:
    """
    Seal anew the values sealed with a former key or not bound to their place, each job and run in a transaction of its
    own.

    Runs that have ended keep their values: a retry of one needs the former key, or runs the job instead.
    """
    author = Author(actor=actor, via=Via(via), reason="Secrets sealed anew.")
    for id in _ids(Job):
        yield from _guarded("job", id, lambda id=id: _reseal_job(id, author, dry_run))
    for id in _ids(Run.objects.active()):
        yield from _guarded("run", id, lambda id=id: _reseal_run(id, dry_run))
    for row in Declaration.objects.filter(parameters__isnull=False).iterator():
        yield from _guarded("instance", row.job_key, lambda row=row: _reseal_instance(row, dry_run))


def _ids(rows: Any) -> list[Any]:
    """Return those that hold something sealed, by id."""
    found = getattr(rows, "objects", rows).all().order_by("pk").values_list("pk", *_CALL)
    return [pk for pk, args, kwargs in found.iterator() if _has_sealed(args) or _has_sealed(kwargs)]


def _has_sealed(value: Any) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(sealing.is_sealed(item) for item in items)


def _guarded(what: str, id: Any, do: Any) -> Iterator[Resealed]:
    try:
        if do():
            yield Resealed(what=what, id=str(id))
    except SchedulerError as error:
        yield Resealed(what=what, id=str(id), error=error)


def _reseal_job(id: str, author: Author, dry_run: bool) -> bool:
    with database.atomic():
        try:
            job = rows.lock(id=id)
        except JobNotFound:
            return False
        args, kwargs = rows.check_arguments(task=job.task, args=job.args, kwargs=job.kwargs, job=job.pk)
        changes = {"args": args, "kwargs": kwargs}
        if all(getattr(job, name) == value for name, value in changes.items()):
            return False
        if not dry_run:
            rows.save(job=job, changes=changes, author=author, now=database_now())
        return True


def _reseal_run(id: int, dry_run: bool) -> bool:
    with database.atomic():
        run = Run.objects.active().select_for_update(skip_locked=True).filter(pk=id).first()
        if run is None:
            return False
        args, kwargs = rows.check_arguments(task=run.task, args=run.args, kwargs=run.kwargs, job=run.job_key)
        if (run.args, run.kwargs) == (args, kwargs):
            return False
        if not dry_run:
            Run.objects.filter(pk=id).update(args=args, kwargs=kwargs)
        return True


def _reseal_instance(row: Declaration, dry_run: bool) -> bool:
    old = {name: value for name, value in (row.parameters or {}).items() if sealing.is_sealed(value)}
    new = {name: sealing.seal(sealing.unseal(value)) for name, value in old.items() if not sealing.is_present(value)}
    if new and not dry_run:
        Declaration.objects.filter(pk=row.pk).update(parameters={**(row.parameters or {}), **new})
    return bool(new)
