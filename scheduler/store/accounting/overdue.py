"""Fire times that have passed unclaimed when somebody changes their job: they are entered into the ledger first."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Coalesce

from scheduler import conf
from scheduler.core import reasons, triggers
from scheduler.core.planning import Active, PlannedRun, Policies, plan
from scheduler.core.states import JobState, Overlap, RunKind, RunState
from scheduler.errors import InvalidTrigger
from scheduler.messages import Message
from scheduler.models import Job, OwedWindow, Run
from scheduler.store.sessions import notifications
from scheduler.store.sessions.notifications import Channel


def settle(*, job: Job, now: datetime) -> int:
    """
    Plan the due fire times by the stored definition, as a claim would, and return the number of new rows.

    So an edit close to a fire time does not swallow it. The caller holds the lock on the job.
    """
    if job.state != JobState.ACTIVE or job.next_run_time is None or job.next_run_time > now:
        return 0
    try:
        trigger = triggers.parse(job.trigger)
    except InvalidTrigger:
        return 0  # nobody can say when it should have fired
    grace = job.misfire_grace_time
    fire_plan = plan(
        trigger=trigger,
        due_at=job.next_run_time,
        now=now,
        policies=Policies(
            coalesce=job.coalesce,
            max_instances=job.max_instances,
            misfire_grace_time=None if grace is None else timedelta(seconds=grace),
            overlap=Overlap(job.overlap),
        ),
        active=_active_runs(job),
        catch_up_limit=conf.get().catch_up_limit,
    )
    return _enter(job, fire_plan.rows, now)


def skip(*, job: Job, reason: Message, now: datetime) -> int:
    """
    Enter the fire times that are due, or owed since the job broke, as one skipped range, and return the number of new
    rows.

    The caller holds the lock on the job.
    """
    first = job.interrupted_at if job.state == JobState.BROKEN else job.next_run_time
    if job.state not in (JobState.ACTIVE, JobState.BROKEN) or first is None or first > now:
        return 0
    try:
        trigger = triggers.parse(job.trigger)
    except InvalidTrigger:
        return 0
    last = trigger.latest(first=first, until=now)
    row = PlannedRun(
        scheduled_at=last,
        covers_from=None if last == first else first,
        coalesced=trigger.count(first=first, until=last) - 1,
        state=RunState.SKIPPED,
        reason=reason,
    )
    return _enter(job, (row,), now)


def _active_runs(job: Job) -> Active:
    active = Run.objects.active().filter(job=job)
    waiting = active.filter(held=True, kind=RunKind.SCHEDULED).order_by("-scheduled_at").first()
    return Active(
        runs=active.filter(held=False).count(),
        manual=active.filter(held=False, kind=RunKind.MANUAL).count(),
        waiting=None if waiting is None else waiting.pk,
        waiting_at=None if waiting is None else waiting.scheduled_at,
    )


def _enter(job: Job, rows: tuple[PlannedRun, ...], now: datetime) -> int:
    """A fire time that the ledger has already stays as it is."""
    own = [_run(job, row, now) for row in rows if row.folded_into is None or not _fold(row)]
    entered = Run.objects.bulk_create(own, ignore_conflicts=True)
    # A range whose newest fire time has a row, as after a backfill, was not entered: a node enters the rest of it.
    OwedWindow.objects.bulk_create(
        _owed(job, first=row.covers_from, until=row.scheduled_at) for row in rows if row.covers_from is not None
    )
    if any(row.state is RunState.QUEUED for row in rows):
        notifications.notify(Channel.RUNS)
    return len(entered)


def _owed(job: Job, *, first: datetime, until: datetime) -> OwedWindow:
    return OwedWindow(
        job_key=job.pk,
        job_name=job.name,
        task=job.task,
        executor=job.executor,
        priority=job.priority,
        trigger=job.trigger,
        first=first,
        until=until,
    )


def _fold(row: PlannedRun) -> bool:
    """Fold these fire times into the waiting run. Return false if it was cancelled meanwhile."""
    taken = Run.objects.filter(job=OuterRef("job"), scheduled_at=row.scheduled_at, attempt=OuterRef("attempt"))
    return bool(
        Run.objects.filter(~Exists(taken), pk=row.folded_into or 0, held=True, finished_at=None).update(
            covers_from=Coalesce("covers_from", "scheduled_at"),
            scheduled_at=row.scheduled_at,
            coalesced=F("coalesced") + row.coalesced + 1,
        )
    )


def _run(job: Job, row: PlannedRun, now: datetime) -> Run:
    return Run.of(
        job,
        scheduled_at=row.scheduled_at,
        now=now,
        covers_from=row.covers_from,
        coalesced=row.coalesced,
        state=row.state,
        **reasons.columns(row.reason),
        held=row.held or row.folded_into is not None,
        finished_at=None if row.state is RunState.QUEUED else now,
    )
