"""Release: jobs are written so that stock django-apscheduler goes on with them, when a deployer asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from django_apscheduler.models import DjangoJob

from scheduler.core.definition import BY_NAME, NAMES
from scheduler.core.states import JobState
from scheduler.core.tasks.registry import registry
from scheduler.errors import InvalidTrigger, NodesAreRunning, UnknownTask
from scheduler.models import Job
from scheduler.services import masking
from scheduler.store import database
from scheduler.store.jobs import rows
from scheduler.store.measuring import measures
from scheduler.store.stock import legacy_state
from scheduler.store.stock.written_triggers import as_stock

_STOCK = frozenset(
    {
        *("name", "task", "args", "kwargs", "trigger", "executor", "coalesce", "max_instances"),
        *("misfire_grace_time", "description", "tags"),
    }
)
"""The parts of a definition that stock has too, or that change no run."""


class Released(NamedTuple):
    """The outcome for one job."""

    id: str
    is_parked: bool
    """Stock keeps it and never runs it."""

    text: str
    """Why it is parked, or which policies stock does not follow."""


def release(*, dry_run: bool = False, on_released: Callable[[Released], None] | None = None) -> tuple[Released, ...]:
    """
    Write the row of each job for stock django-apscheduler, by id, each in a transaction of its own.

    A job that stock cannot run is parked. ``compat.adoption`` reads back everything, as long as stock has not written
    the row itself. ``on_released`` is called for each job.

    :raises NodesAreRunning: a node would go on with the jobs. No row was written
    """
    if measures.scheduling().fresh_nodes:
        raise NodesAreRunning
    found = []
    for job_id in Job.objects.order_by("pk").values_list("pk", flat=True):
        with database.atomic():
            released = _release(rows.lock(id=job_id), dry_run=dry_run)
        found.append(released)
        if on_released is not None:
            on_released(released)
    return tuple(found)


def _release(job: Job, *, dry_run: bool) -> Released:
    reason = _pause_reason(job)
    own = {
        "definition": {name: getattr(job, name) for name in NAMES},
        "state": job.state,
        "reason": [job.reason_code, job.reason_params, job.reason_text],
    }
    if not dry_run:
        state = legacy_state.leave(job, own=own, is_parked=bool(reason))
        at = None if reason else job.next_run_time
        DjangoJob.objects.filter(pk=job.pk).update(job_state=state, next_run_time=at)
    return Released(id=job.pk, is_parked=bool(reason), text=reason or _what_is_left_out(job))


def _pause_reason(job: Job) -> str:
    """Return why stock cannot run a job; empty: it can."""
    try:
        reference = registry.get(job.task).reference
        trigger = as_stock(job.trigger)
    except (UnknownTask, InvalidTrigger) as error:
        return str(error)
    if reference.startswith("scheduler."):
        return "its task belongs to the scheduler"
    if trigger is None:
        return "APScheduler has no such trigger"
    if masking.masked([job.args, job.kwargs]) != [job.args, job.kwargs]:
        return "its secret arguments are sealed"
    if job.state in (JobState.FINISHED, JobState.BROKEN):
        return f"it is {job.state}"
    return ""


def _what_is_left_out(job: Job) -> str:
    names = [name for name in NAMES if name not in _STOCK and getattr(job, name) != BY_NAME[name].default]
    return f"without {', '.join(names)}" if names else ""
