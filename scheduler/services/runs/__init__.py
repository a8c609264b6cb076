"""Runs: cancel, retry, and queue the fire times of a past window."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Value
from django.db.models.functions import Coalesce

from scheduler.core import triggers
from scheduler.core.states import JobState, RunKind, RunState
from scheduler.errors import InvalidWindow, JobIsBroken, JobNotFound, RunFinished, RunIsActive, RunNotFound
from scheduler.models import Job, Run
from scheduler.phrases import phrase
from scheduler.store import database, notifications
from scheduler.store import jobs as rows
from scheduler.store.clock import aware, database_now
from scheduler.store.notifications import Channel

BACKFILL_PRIORITY = -100
"""Backfills wait behind everything else."""

_BATCH = 500
_MOMENT = timedelta(microseconds=1)


def get(*, id: int) -> Run:
    """:raises RunNotFound: there is no run with this id"""
    run: Run | None = Run.objects.filter(pk=id).first()
    if run is None:
        raise RunNotFound(phrase("There is no run with the id {id}.", id=f"{id}"))
    return run


def cancel(*, run: Run, actor: str = "", now: datetime | None = None) -> Run:
    """
    Cancel a run: at once if it is queued, else its node is told to end it, and the run goes on until it obeys.

    A process is ended; code in a thread ends when it looks at ``current_run().stopping``, a coroutine at its next
    ``await``. Asking again changes nothing.

    :raises RunFinished, RunNotFound: nothing was changed
    """
    now = now or database_now()
    with database.atomic():
        stored = Run.objects.select_for_update().filter(pk=run.pk).first()
        if stored is None:
            raise RunNotFound(phrase("The run {id} was deleted meanwhile.", id=f"{run.pk}"))
        if stored.finished_at is not None:
            raise RunFinished(
                phrase("The run {id} has finished already: it {state}.", id=f"{run.pk}", state=phrase(stored.state))
            )
        by = f" by {actor}" if actor else ""
        if stored.state == RunState.QUEUED:
            stored.state = RunState.CANCELLED
            stored.finished_at = now
            stored.reason = f"Cancelled{by} before it began."
        stored.cancel_requested_at = stored.cancel_requested_at or now
        stored.save(update_fields=["state", "finished_at", "reason", "cancel_requested_at"])
        if stored.node is not None:
            notifications.notify(Channel.CANCEL)
    return stored


def cancel_queued(*, ids: Collection[int], actor: str = "", now: datetime | None = None) -> int:
    """Cancel those of the runs that have not begun; return how many. Those that a node takes just now go on."""
    now = now or database_now()
    by = f" by {actor}" if actor else ""
    with database.atomic():
        waiting = Run.objects.select_for_update(skip_locked=True).filter(pk__in=ids, state=RunState.QUEUED)
        taken = dict(waiting.order_by("pk").values_list("pk", "node"))
        changed = Run.objects.filter(pk__in=taken, state=RunState.QUEUED).update(
            state=RunState.CANCELLED,
            finished_at=now,
            reason=f"Cancelled{by} before it began.",
            cancel_requested_at=Coalesce("cancel_requested_at", Value(now)),
        )
        if any(taken.values()):
            notifications.notify(Channel.CANCEL)
    return changed


def refuse_active(run: Run) -> None:
    """:raises RunIsActive: it has not ended"""
    if run.finished_at is None:
        raise RunIsActive(phrase("The run {id} has not ended: cancel it first.", id=f"{run.pk}"))


def retry(*, run: Run, actor: str = "", now: datetime | None = None) -> Run:
    """
    Queue another attempt of a finished run, with the arguments that it had.

    It waits while ``max_instances`` runs of the job are active.

    :raises RunIsActive, RunNotFound, JobNotFound, JobIsBroken, UnknownTask, InvalidArguments: nothing was queued
    """
    now = now or database_now()
    if run.job_id is None:
        raise JobNotFound(
            phrase("The job “{name}” was deleted: there is nothing that could be run again.", name=run.job_name)
        )
    with database.atomic():
        job = rows.lock(id=run.job_id)
        if job.state == JobState.BROKEN:
            raise JobIsBroken(phrase("“{name}” cannot run: {reason}", name=job.name, reason=job.state_reason))
        stored = get(id=run.pk)
        if stored.finished_at is None:
            raise RunIsActive(
                phrase(
                    "The run {id} is {state}: cancel it before it is run again.",
                    id=f"{run.pk}",
                    state=phrase(stored.state),
                )
            )
        args, kwargs = rows.check_arguments(task=stored.task, args=stored.args, kwargs=stored.kwargs)
        attempts = Run.objects.filter(job=job, scheduled_at=stored.scheduled_at)
        last_attempt = attempts.aggregate(last=Max("attempt"))["last"]
        active = Run.objects.active().filter(job=job, held=False).count()
        created = Run.of(
            job,
            scheduled_at=stored.scheduled_at,
            now=now,
            due_at=now,
            task=stored.task,
            args=args,
            kwargs=kwargs,
            covers_from=stored.covers_from,
            coalesced=stored.coalesced,
            kind=RunKind.RETRY,
            attempt=last_attempt + 1,
            previous=stored,
            held=active >= job.max_instances,
            requested_by=actor,
        )
        created.save(force_insert=True)
        notifications.notify(Channel.RUNS)
    return created


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """What a backfill found and queued."""

    fire_times: int
    """In the window."""

    queued: int
    """Those that had no run."""

    first: datetime | None
    last: datetime | None


def backfill(
    *,
    job: Job,
    since: datetime,
    until: datetime,
    dry_run: bool = False,
    limit: int = 10_000,
    actor: str = "",
    progress: Callable[[int], None] | None = None,
    now: datetime | None = None,
) -> Backfill:
    """
    Queue the fire times of ``since <= t <= until`` that have no run of their own, oldest first, at low priority.

    They run one after the other as far as ``max_instances`` allows; a fire time of the schedule that falls due
    meanwhile waits for its turn and is not skipped. Running it again queues nothing twice.

    :raises InvalidWindow: it ends before it begins or in the future, or has more than ``limit`` fire times
    :raises JobNotFound, JobIsBroken, InvalidTrigger: nothing was queued
    """
    now = now or database_now()
    since, until = aware(since), aware(until)
    if until < since:
        raise InvalidWindow(f"The window ends ({until.isoformat()}) before it begins ({since.isoformat()}).")
    if until > now:
        raise InvalidWindow(f"The window ends in the future ({until.isoformat()}); it is {now.isoformat()} now.")
    fire_times = triggers.next_fire_times(job.trigger, after=since - _MOMENT, count=limit + 1)
    fire_times = [moment for moment in fire_times if moment <= until]
    if len(fire_times) > limit:
        raise InvalidWindow(f"The window has more than {limit:,} fire times. Choose a shorter one, or a higher limit.")
    queued: list[datetime] = []
    for place in range(0, len(fire_times), _BATCH):
        batch = fire_times[place : place + _BATCH]
        queued += _queue(job=job, fire_times=batch, dry_run=dry_run, actor=actor, now=now)
        if progress is not None:
            progress(place + len(batch))
    return Backfill(
        fire_times=len(fire_times),
        queued=len(queued),
        first=queued[0] if queued else None,
        last=queued[-1] if queued else None,
    )


def _queue(*, job: Job, fire_times: list[datetime], dry_run: bool, actor: str, now: datetime) -> list[datetime]:
    with database.atomic():
        stored = rows.lock(id=job.pk)
        if stored.state == JobState.BROKEN:
            raise JobIsBroken(phrase("“{name}” cannot run: {reason}", name=stored.name, reason=stored.state_reason))
        present = set(
            Run.objects.filter(job=stored, scheduled_at__in=fire_times)
            .exclude(state__in=(RunState.MISSED, RunState.SKIPPED))
            .values_list("scheduled_at", flat=True)
        )
        attempts = dict(
            Run.objects.filter(job=stored, scheduled_at__in=fire_times)
            .values_list("scheduled_at")
            .annotate(last=Max("attempt"))
        )
        missing = [moment for moment in fire_times if moment not in present]
        if missing and not dry_run:
            Run.objects.bulk_create(
                Run.of(
                    stored,
                    scheduled_at=moment,
                    now=now,
                    kind=RunKind.MANUAL,
                    attempt=attempts.get(moment, 0) + 1,
                    reason="Backfill.",
                    priority=BACKFILL_PRIORITY,
                    held=True,
                    requested_by=actor,
                )
                for moment in missing
            )
            notifications.notify(Channel.RUNS)
    return missing
