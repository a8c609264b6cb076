"""Runs: cancel, retry, and queue the fire times of a past window."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Value
from django.db.models.functions import Coalesce

from scheduler.core import error_messages, reasons, triggers
from scheduler.core.states import JobState, RunKind, RunState
from scheduler.errors import InvalidWindow, JobIsBroken, JobNotFound, RunFinished, RunIsActive, RunNotFound
from scheduler.messages import phrase
from scheduler.models import Job, Run
from scheduler.services.jobs.calling import asynchronous
from scheduler.services.runs import enqueued_again, unbegun_ends
from scheduler.store import database
from scheduler.store.clock import aware, database_now
from scheduler.store.jobs import rows
from scheduler.store.sessions import notifications
from scheduler.store.sessions.notifications import Channel

BACKFILL_PRIORITY = -100
"""Backfills wait behind everything else."""

_BATCH = 500
_MOMENT = timedelta(microseconds=1)


def get(*, id: int) -> Run:
    """:raises RunNotFound: a run with this id does not exist"""
    run: Run | None = Run.objects.filter(pk=id).first()
    if run is None:
        raise RunNotFound(error_messages.NO_SUCH_RUN(id=f"{id}"))
    return run


def cancel(*, run: Run | int, actor: str = "", now: datetime | None = None) -> Run:
    """
    Cancel a run: at once if it is queued. Otherwise its node is notified, and the run continues until it stops.

    A process is killed. Code in a thread ends when it checks ``current_run().stopping``, a coroutine at its next
    ``await``. Repeated calls have no effect.

    :raises RunFinished, RunNotFound: no change was made
    """
    now = now or database_now()
    run = get(id=run) if isinstance(run, int) else run
    with database.atomic():
        stored = Run.objects.select_for_update().filter(pk=run.pk).first()
        if stored is None:
            raise RunNotFound(error_messages.RUN_DELETED_MEANWHILE(id=f"{run.pk}"))
        if stored.finished_at is not None:
            raise RunFinished(error_messages.RUN_HAS_FINISHED(id=f"{run.pk}", state=phrase(stored.state)))
        if stored.state == RunState.QUEUED:
            stored.state = RunState.CANCELLED
            stored.finished_at = now
            stored.reason = reasons.CANCELLED_BY(who=actor) if actor else reasons.CANCELLED_BEFORE_IT_BEGAN()
        stored.cancel_requested_at = stored.cancel_requested_at or now
        stored.save(update_fields=["state", "finished_at", *reasons.columns(None), "cancel_requested_at"])
        if stored.node is not None:
            notifications.notify(Channel.CANCEL)
        if stored.state == RunState.CANCELLED:
            unbegun_ends.report_after_commit(runs=[stored])
    return stored


def cancel_queued(*, ids: Collection[int], actor: str = "", now: datetime | None = None) -> int:
    """Cancel those of the runs that have not begun and return their number. Those that a node takes just now go on."""
    now = now or database_now()
    reason = reasons.CANCELLED_BY(who=actor) if actor else reasons.CANCELLED_BEFORE_IT_BEGAN()
    with database.atomic():
        waiting = Run.objects.select_for_update(skip_locked=True).filter(pk__in=ids, state=RunState.QUEUED)
        found = list(waiting.order_by("pk").only("node", "task", "public_id"))
        changed = Run.objects.filter(pk__in=[run.pk for run in found], state=RunState.QUEUED).update(
            state=RunState.CANCELLED,
            finished_at=now,
            **reasons.columns(reason),
            cancel_requested_at=Coalesce("cancel_requested_at", Value(now)),
        )
        if any(run.node for run in found):
            notifications.notify(Channel.CANCEL)
        unbegun_ends.report_after_commit(runs=found)
    return changed


def refuse_active(run: Run) -> None:
    """:raises RunIsActive: it has not ended"""
    if run.finished_at is None:
        raise RunIsActive(phrase("The run {id} has not ended: cancel it first.", id=f"{run.pk}"))


def retry(*, run: Run | int, actor: str = "", now: datetime | None = None) -> Run:
    """
    Queue another attempt of a finished run, with the arguments that it had.

    It waits while ``max_instances`` runs of the job are active.

    :raises RunIsActive, RunNotFound, JobNotFound, JobIsBroken, UnknownTask, InvalidArguments: no run was queued
    """
    now = now or database_now()
    run = get(id=run) if isinstance(run, int) else run
    if run.is_enqueued:
        return enqueued_again.retry(run=run, actor=actor, now=now)
    if run.job_id is None:
        raise JobNotFound(error_messages.DELETED_JOB_CANNOT_RUN(name=run.job_name))
    with database.atomic():
        job = rows.lock(id=run.job_id)
        if job.state == JobState.BROKEN:
            raise JobIsBroken(error_messages.CANNOT_RUN(name=job.name, reason=job.state_reason))
        stored = get(id=run.pk)
        if stored.finished_at is None:
            raise RunIsActive(error_messages.CANCEL_RUN_FIRST(id=f"{run.pk}", state=phrase(stored.state)))
        created = _attempt_after(stored, job=job, actor=actor, now=now)
        created.save(force_insert=True)
        notifications.notify(Channel.RUNS, subject="" if created.held else created.executor)
    return created


def _attempt_after(stored: Run, *, job: Job, actor: str, now: datetime) -> Run:
    """
    Return the next attempt of a run of a locked job, not written yet.

    :raises UnknownTask, InvalidArguments: its arguments no longer fit the task
    """
    args, kwargs = rows.check_arguments(task=stored.task, args=stored.args, kwargs=stored.kwargs, job=stored.job_key)
    attempts = Run.objects.filter(job=job, scheduled_at=stored.scheduled_at)
    active = Run.objects.active().filter(job=job, held=False).count()
    return Run.of(
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
        attempt=attempts.aggregate(last=Max("attempt"))["last"] + 1,
        previous=stored,
        held=active >= job.max_instances,
        requested_by=actor,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """The result of a backfill."""

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
    progress: Callable[[int, int], None] | None = None,
    now: datetime | None = None,
) -> Backfill:
    """
    Queue the fire times of ``since <= t <= until`` that have no run of their own, oldest first, at low priority.

    They run one after the other as far as ``max_instances`` allows. A scheduled fire time that becomes due meanwhile is
    held, not skipped. The operation is idempotent. ``progress`` is called with the number of fire times that are done
    and with their total.

    :raises InvalidWindow: it ends before it begins or in the future, or has more than ``limit`` fire times
    :raises JobNotFound, JobIsBroken, InvalidTrigger: no run was queued
    """
    now = now or database_now()
    fire_times = fire_times_of(job=job, since=since, until=until, limit=limit, now=now)
    queued: list[datetime] = []
    for place in range(0, len(fire_times), _BATCH):
        batch = fire_times[place : place + _BATCH]
        queued += _queue(job=job, fire_times=batch, dry_run=dry_run, actor=actor, now=now)
        if progress is not None:
            progress(place + len(batch), len(fire_times))
    return Backfill(
        fire_times=len(fire_times),
        queued=len(queued),
        first=queued[0] if queued else None,
        last=queued[-1] if queued else None,
    )


def fire_times_of(*, job: Job, since: datetime, until: datetime, limit: int, now: datetime) -> list[datetime]:
    """
    Return the fire times of a past window, oldest first.

    :raises InvalidWindow: it ends before it begins or in the future, or has more than ``limit`` fire times
    :raises InvalidTrigger: the trigger cannot be used
    """
    since, until = _past_window(since=since, until=until, now=now)
    fire_times = fire_times_after(job=job, after=since - _MOMENT, until=until, most=limit + 1)
    if len(fire_times) > limit:
        raise InvalidWindow(error_messages.WINDOW_TOO_FULL(most=limit))
    return fire_times


def count_fire_times(*, job: Job, since: datetime, until: datetime, limit: int, now: datetime) -> int:
    """
    Count the fire times of a past window without going through them.

    :raises InvalidWindow, InvalidTrigger: as ``fire_times_of``
    """
    since, until = _past_window(since=since, until=until, now=now)
    first = fire_times_after(job=job, after=since - _MOMENT, until=until, most=1)
    count = triggers.parse(job.trigger).count(first=first[0], until=until) if first else 0
    if count > limit:
        raise InvalidWindow(error_messages.WINDOW_TOO_FULL(most=limit))
    return count


def fire_times_after(*, job: Job, after: datetime, until: datetime, most: int) -> list[datetime]:
    """
    Return the oldest fire times after an instant, up to another one.

    :raises InvalidTrigger: the trigger cannot be used
    """
    return [moment for moment in triggers.next_fire_times(job.trigger, after=after, count=most) if moment <= until]


def _past_window(*, since: datetime, until: datetime, now: datetime) -> tuple[datetime, datetime]:
    since, until = aware(since), aware(until)
    if until < since:
        raise InvalidWindow(error_messages.WINDOW_REVERSED(until=until.isoformat(), since=since.isoformat()))
    if until > now:
        raise InvalidWindow(error_messages.WINDOW_IN_THE_FUTURE(until=until.isoformat(), now=now.isoformat()))
    return since, until


def queue_missing(
    *, job: Job, fire_times: list[datetime], now: datetime, actor: str = "", dry_run: bool = False
) -> list[datetime]:
    """
    Queue these past fire times that have no run of their own, and return them.

    :raises JobNotFound, JobIsBroken: no run was queued
    """
    return _queue(job=job, fire_times=fire_times, dry_run=dry_run, actor=actor, now=now)


def _queue(*, job: Job, fire_times: list[datetime], dry_run: bool, actor: str, now: datetime) -> list[datetime]:
    with database.atomic():
        stored = rows.lock(id=job.pk)
        if stored.state == JobState.BROKEN:
            raise JobIsBroken(error_messages.CANNOT_RUN(name=stored.name, reason=stored.state_reason))
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
        ranges = list(
            Run.objects.filter(job=stored, attempt=1, scheduled_at__gte=fire_times[0], covers_from__lte=fire_times[-1])
            .order_by("scheduled_at")
            .values_list("covers_from", "scheduled_at")[: len(fire_times)]
        )
        covered = {at for at in fire_times if any(first is not None and first <= at <= last for first, last in ranges)}
        missing = [moment for moment in fire_times if moment not in present]
        if missing and not dry_run:
            Run.objects.bulk_create(
                Run.of(
                    stored,
                    scheduled_at=moment,
                    now=now,
                    kind=RunKind.MANUAL,
                    # A fire time that a range stands for was accounted for by that: this is another attempt.
                    attempt=max(attempts.get(moment, 0), moment in covered) + 1,
                    **reasons.columns(reasons.BACKFILL()),
                    priority=BACKFILL_PRIORITY,
                    held=True,
                    requested_by=actor,
                )
                for moment in missing
            )
            notifications.notify(Channel.RUNS)
    return missing


acancel = asynchronous(cancel)
aretry = asynchronous(retry)
