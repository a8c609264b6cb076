"""Restore a version of a job, also of a deleted one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scheduler.core import triggers
from scheduler.core.definition import NAMES
from scheduler.core.jobs import differences
from scheduler.core.jobs.differences import Difference
from scheduler.core.states import JobSource, JobState, Via
from scheduler.errors import JobNotFound, NothingToRestore
from scheduler.messages import phrase
from scheduler.models import Change, Job
from scheduler.services import jobs
from scheduler.services.queries import job_history
from scheduler.store import database
from scheduler.store.cleaning import restorations
from scheduler.store.clock import database_now
from scheduler.store.jobs import rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """The effect of restoring."""

    job: Job | None
    """The present job. ``None``: it was deleted and would be created again."""

    differences: tuple[Difference, ...]
    """From the present to the restored version, with masked secrets."""


def preview(*, change: Change) -> Restoration:
    """Say what restoring the version after this change would do now."""
    job: Job | None = Job.objects.defer("job_state").filter(pk=change.job_key).first()
    return Restoration(job=job, differences=job_history.masked(found=() if job is None else _differences(job, change)))


def restore(
    *, change: Change, actor: str, via: Via | str = Via.CODE, reason: str = "", now: datetime | None = None
) -> Job:
    """
    Restore the version after this change, as an ordinary edit with the same validation.

    Secrets are those of that version. A pause stays as it is now. A deleted job is created again with its id, paused if
    it was paused, and has its past runs again: the newest at once, the others once a node has attached them.

    :raises NothingToRestore: the job is in this version already
    :raises UnknownTask, UnknownExecutor, InvalidArguments, InvalidTrigger, NeverFires, InvalidPolicy: the version is
        invalid today. No change was made
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
            raise NothingToRestore(
                phrase("“{name}” is now as it was in version {number}.", name=job.name, number=change.version)
            )
        return jobs.update(job=job, **author, now=now, **{name: change.definition[name] for name in changed})


def _create(change: Change, author: dict[str, Any], now: datetime) -> Job:
    definition = {name: change.definition[name] for name in NAMES if name in change.definition}
    triggers.check_future(triggers.normalize(definition["trigger"], now=now), now=now)
    source = change.definition.get("source")
    job = jobs.create(
        id=change.job_key,
        **author,
        source=JobSource(source) if source in set(JobSource) else JobSource.CODE,
        paused=change.definition.get("state") == JobState.PAUSED,
        now=now,
        **definition,
    )
    restorations.begin(job=job.pk)
    return job


def _differences(job: Job, change: Change) -> tuple[Difference, ...]:
    present = {name: getattr(job, name) for name in NAMES}
    return differences.between(present, change.definition)
