"""Creating many jobs in a few statements: for imports, declarations and templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, OperationalError

from scheduler.core import error_messages, triggers
from scheduler.core.states import JobSource, Via
from scheduler.errors import JobExists, SchedulerError
from scheduler.models import Job
from scheduler.services import transactions
from scheduler.services.jobs import building
from scheduler.store.clock import database_now
from scheduler.store.jobs import batches, rows
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
    paused: bool = False,
    now: datetime | None = None,
) -> tuple[Created, ...]:
    """
    Create jobs by id, as ``jobs.create`` does, in the transaction of the caller and in a few statements.

    A definition that cannot be used, or whose id is taken, is refused by itself. The nodes are woken once.
    """
    now = now or database_now()
    facts: dict[str, Any] = {"source": JobSource(source), "paused": paused, "actor": actor, "now": now}
    new: list[Job] = []
    repeated = building.Repeated()
    refused: dict[str, SchedulerError] = {}
    for id, definition in definitions.items():
        given = {"args": (), "kwargs": {}, **definition}
        try:
            new.append(building.unsaved(id=id, given=given, repeated=repeated, **facts))
        except SchedulerError as error:
            refused[id] = error
    refused |= insert(new=new, author=Author(actor=actor, via=Via(via), reason=reason))
    return tuple(Created(id=id, error=refused.get(id)) for id in definitions)


def insert(*, new: Sequence[Job], author: Author) -> dict[str, SchedulerError]:
    """Write the jobs. One by one if another process took an id meanwhile. Return the error of each that was not."""
    if not new:
        return {}
    try:
        with transactions.atomic(), triggers.parsing_once():
            taken = batches.insert_many(jobs=new, author=author)
    except (IntegrityError, OperationalError):
        found = {job.id: _inserted(job, author) for job in new}
        return {id: error for id, error in found.items() if error is not None}
    return {id: JobExists(error_messages.JOB_ID_TAKEN(id=id)) for id in taken}


def _inserted(job: Job, author: Author) -> JobExists | None:
    try:
        rows.insert(job=job, author=author)
    except JobExists as error:
        return error
    return None
