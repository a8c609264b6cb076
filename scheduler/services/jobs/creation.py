"""Creating many jobs in a few statements: for imports, declarations and templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError

from scheduler.core.states import JobSource, Via
from scheduler.errors import JobExists, SchedulerError
from scheduler.models import Job
from scheduler.services import jobs, transactions
from scheduler.store.clock import database_now
from scheduler.store.jobs import rows
from scheduler.store.jobs.authorship import Author


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The outcome of one definition."""

    id: str
    error: SchedulerError | None = None


def create_many(
    *,
    definitions: Mapping[str, Mapping[str, Any]],
    actor: str = "",
    via: Via | str = Via.CODE,
    reason: str = "",
    source: JobSource | str = JobSource.CODE,
    now: datetime | None = None,
) -> tuple[Created, ...]:
    """
    Create jobs by id, as ``jobs.create`` does, in the transaction of the caller and in a few statements.

    A definition that cannot be used, or whose id is taken, is refused by itself. The nodes are woken once.
    """
    now = now or database_now()
    source = JobSource(source)
    new: list[Job] = []
    refused: dict[str, SchedulerError] = {}
    for id, definition in definitions.items():
        given = {"args": (), "kwargs": {}, **definition}
        try:
            new.append(jobs.new(id=id, given=given, source=source, paused=False, actor=actor, now=now))
        except SchedulerError as error:
            refused[id] = error
    taken = _insert(new=new, author=Author(actor=actor, via=Via(via), reason=reason))
    refused |= {id: JobExists(f"A job with the id “{id}” exists already.") for id in taken}
    return tuple(Created(id=id, error=refused.get(id)) for id in definitions)


def _insert(*, new: Sequence[Job], author: Author) -> Iterable[str]:
    """Write the jobs. One by one if another process took an id meanwhile."""
    try:
        with transactions.atomic():
            return rows.insert_many(jobs=new, author=author)
    except IntegrityError:
        return [job.id for job in new if not _inserted(job, author)]


def _inserted(job: Job, author: Author) -> bool:
    try:
        rows.insert(job=job, author=author)
    except JobExists:
        return False
    return True
