"""Bringing a job back to how it was after one of its changes; a deleted one too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scheduler.core import differences, triggers
from scheduler.core.definition import NAMES
from scheduler.core.differences import Difference
from scheduler.core.states import JobSource, JobState, Via
from scheduler.errors import JobNotFound, NothingToRestore
from scheduler.models import Change, Job
from scheduler.services import jobs
from scheduler.services.queries import job_history
from scheduler.store import database
from scheduler.store import jobs as rows
from scheduler.store.clock import database_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """What restoring would do."""

    job: Job | None
    """As it is now; ``None``: it was deleted, and would be created again."""

    differences: tuple[Difference, ...]
    """From how it is now to how it was then; secrets are masked."""


def preview(*, change: Change) -> Restoration:
    """Say what restoring the version after this change would do now."""
    job: Job | None = Job.objects.defer("job_state").filter(pk=change.job_key).first()
    return Restoration(job=job, differences=job_history.masked(found=() if job is None else _differences(job, change)))


def restore(
    *, change: Change, actor: str, via: Via | str = Via.CODE, reason: str = "", now: datetime | None = None
) -> Job:
    """
    Bring a job back to how it was after this change: an edit like any other, checked like one.

    Its secrets are those of then. Whether it is paused stays as it is now; a job that was deleted is created again with
    its id, paused if it was paused.

    :raises NothingToRestore: it is like that now
    :raises UnknownTask, UnknownExecutor, InvalidArguments, InvalidTrigger, NeverFires, InvalidPolicy: it could not be
        saved like that today; nothing was changed
    """
    now = now or database_now()
    author: dict[str, Any] = {"actor": actor, "via": via, "reason": reason, "restored_version": change.version}
    with database.atomic():
        try:
            job = rows.lock(id=change.job_key)
        except JobNotFound:
            return _create(change, author, now)
        changed = {difference.name.partition(".")[0] for difference in _differences(job, change)}
        if not changed:
            raise NothingToRestore(f"“{job.name}” is now as it was in version {change.version}.")
        return jobs.update(job=job, **author, now=now, **{name: change.definition[name] for name in changed})


def _create(change: Change, author: dict[str, Any], now: datetime) -> Job:
    definition = {name: change.definition[name] for name in NAMES if name in change.definition}
    triggers.check_future(triggers.normalize(definition["trigger"], now=now), now=now)
    return jobs.create(
        id=change.job_key,
        **author,
        source=JobSource(change.definition.get("source", JobSource.CODE)),
        paused=change.definition.get("state") == JobState.PAUSED,
        now=now,
        **definition,
    )


def _differences(job: Job, change: Change) -> tuple[Difference, ...]:
    present = {name: getattr(job, name) for name in NAMES}
    return differences.between(present, change.definition)
