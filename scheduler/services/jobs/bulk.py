"""Operations of the API and the command line on jobs: clone, change many, check a version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, Unpack

from scheduler.core import reasons
from scheduler.core.definition import POLICIES
from scheduler.core.jobs import names
from scheduler.core.states import JobSource, Via
from scheduler.errors import AlreadyPaused, NotPaused, SchedulerError
from scheduler.models import Job, Run
from scheduler.services import jobs, masking
from scheduler.services.jobs import editing, validation
from scheduler.services.queries import job_queries
from scheduler.services.queries.job_queries import JobFilter
from scheduler.store import database
from scheduler.store.jobs import rows

MOST_AT_ONCE = 1000
ACTIONS = ("pause", "resume", "run", "delete", "add_tags", "remove_tags")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The outcome for one job."""

    id: str
    error: SchedulerError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The outcomes for the selected jobs."""

    results: tuple[Change, ...]
    is_cut: bool
    """More jobs matched than are changed at once."""


def create(*, actor: str, via: Via | str = Via.CODE, source: JobSource, reason: str = "", **definition: Any) -> Job:
    """
    Create a job as ``jobs.create`` does, and reject mistakes of people: unknown executors and masks.

    :raises UnknownExecutor, InvalidArguments: the job was not created, and the errors of ``jobs.create``
    """
    validation.refuse_masks(task=definition["task"], changes=definition, stored=None)
    return jobs.create(actor=actor, via=via, reason=reason, source=source, **definition)


def update(
    *, job: Job, actor: str, via: Via | str = Via.CODE, version: int | None, reason: str = "", **changes: Any
) -> Job:
    """
    Change a job as ``jobs.update`` does. Masked secrets keep their value.

    :raises UnknownExecutor, InvalidArguments: no change was made, and the errors of ``jobs.update``
    """
    with database.atomic():
        stored = rows.lock(id=job.pk)
        for name in ("args", "kwargs"):
            if name in changes:
                changes[name] = masking.unmasked(given=changes[name], stored=getattr(stored, name), pointer=f"/{name}")
        validation.refuse_masks(task=changes.get("task", stored.task), changes=changes, stored=stored)
        return jobs.update(job=stored, actor=actor, via=via, reason=reason, version=version, **changes)


def run_now(*, job: Job, actor: str, kwargs: Mapping[str, Any] | None) -> Run:
    """
    Queue a run as ``jobs.run_now`` does. Masked secrets keep the value of the job.

    :raises InvalidArguments: no run was queued, and the errors of ``jobs.run_now``
    """
    if kwargs is not None:
        kwargs = masking.unmasked(given=kwargs, stored=job.kwargs)
        validation.refuse_masks(task=job.task, changes={"kwargs": kwargs}, stored=job)
    return jobs.run_now(job=job, actor=actor, kwargs=kwargs)


def remove(*, job: Job, actor: str, via: Via | str = Via.CODE, version: int | None, reason: str = "") -> None:
    """
    Delete a job unless it changed since that version was read.

    :raises StaleVersion, JobNotFound: no row was deleted
    """
    with database.atomic():
        stored = rows.lock(id=job.pk)
        if version is not None and stored.version != version:
            raise editing.stale(job=stored, version=version)
        jobs.remove(job=stored, actor=actor, via=via, reason=reason)


def clone(
    *,
    job: Job,
    actor: str,
    via: Via | str = Via.CODE,
    source: JobSource,
    id: str | None,
    name: str | None,
    paused: bool,
) -> Job:
    """
    Create a job with the same definition, secrets included.

    :raises JobExists, InvalidName, UnknownTask, InvalidArguments, InvalidTrigger: the job was not created
    """
    call = masking.opened(job)
    return jobs.create(
        task=job.task,
        trigger=job.trigger,
        id=id,
        name=name or f"{job.name[:246]} (copy)",
        args=call.args,
        kwargs=call.kwargs,
        description=job.description,
        tags=job.tags,
        actor=actor,
        via=via,
        reason=reasons.COPIED_FROM(name=job.name, id=job.pk),
        source=source,
        paused=paused,
        **{policy: getattr(job, policy) for policy in POLICIES},
    )


def pause(*, job: Job, actor: str, via: Via | str = Via.CODE, reason: str = "", until: datetime | None = None) -> Job:
    """
    Pause a job. A job that is paused until then already is unchanged.

    :raises InvalidPause, JobNotFound: no change was made
    """
    try:
        return jobs.pause(job=job, actor=actor, via=via, reason=reason, until=until)
    except AlreadyPaused:
        return jobs.get(id=job.pk)


def resume(*, job: Job, actor: str, via: Via | str = Via.CODE, reason: str = "") -> Job:
    """
    Resume a job. An active job is unchanged.

    :raises NotPaused: it is finished or broken
    """
    try:
        return jobs.resume(job=job, actor=actor, via=via, reason=reason)
    except NotPaused:
        stored = jobs.get(id=job.pk)
        if stored.state == "active":
            return stored
        raise


def retag(
    *,
    job: Job,
    actor: str,
    via: Via | str = Via.CODE,
    reason: str = "",
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
) -> Job:
    """
    Add tags to a job and remove others. A job with exactly these tags is unchanged.

    :raises InvalidName: one cannot be a tag, or there would be too many. No change was made
    """
    with database.atomic():
        stored = rows.lock(id=job.pk)
        tags = names.checked_tags(sorted({*stored.tags, *add} - set(remove)))
        if tags == stored.tags:
            return stored
        return jobs.update(job=stored, actor=actor, via=via, reason=reason, tags=tags)


class Details(TypedDict, total=False):
    """Parameters that only some actions have."""

    until: datetime | None
    """Of ``pause``."""

    tags: tuple[str, ...]
    """Of ``add_tags`` and ``remove_tags``."""


def change_many(
    *,
    action: str,
    which: tuple[str, ...] | JobFilter,
    actor: str,
    via: Via | str = Via.CODE,
    reason: str = "",
    dry_run: bool = False,
    **details: Unpack[Details],
) -> Changes:
    """Do the same to many jobs, each in a transaction of its own: those named, or those that the filter finds."""
    if isinstance(which, JobFilter):
        matching = list(job_queries.jobs(filter=which).order_by("pk")[: MOST_AT_ONCE + 1])
        is_cut = len(matching) > MOST_AT_ONCE
        chosen: list[tuple[str, Job | None]] = [(job.pk, job) for job in matching[:MOST_AT_ONCE]]
    else:
        found: dict[str, Job] = Job.objects.defer("job_state").in_bulk(which)
        chosen = [(id, found.get(id)) for id in dict.fromkeys(which)]
        is_cut = False
    do = _action(action=action, author={"actor": actor, "via": via, "reason": reason}, **details)
    results = _each(chosen=chosen, do=do, dry_run=dry_run)
    return Changes(results=tuple(results), is_cut=is_cut)


def _each(*, chosen: list[tuple[str, Job | None]], do: Callable[[Job], object], dry_run: bool) -> Iterator[Change]:
    for id, job in chosen:
        try:
            stored = job or jobs.get(id=id)
            if not dry_run:
                do(stored)
        except SchedulerError as error:
            yield Change(id=id, error=error)
        else:
            yield Change(id=id)


def _action(
    *, action: str, author: Mapping[str, Any], until: datetime | None = None, tags: tuple[str, ...] = ()
) -> Callable[[Job], object]:
    actions: dict[str, Callable[[Job], object]] = {
        "pause": lambda job: pause(job=job, **author, until=until),
        "resume": lambda job: resume(job=job, **author),
        "run": lambda job: jobs.run_now(job=job, actor=author["actor"]),
        "delete": lambda job: jobs.remove(job=job, **author),
        "add_tags": lambda job: retag(job=job, **author, add=tags),
        "remove_tags": lambda job: retag(job=job, **author, remove=tags),
    }
    return actions[action]
