"""Fire times that have passed unclaimed when somebody changes their job: they are entered into the ledger first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from scheduler import conf
from scheduler.core import triggers
from scheduler.core.planning import NONE_ACTIVE, PlannedRun, Policies, plan
from scheduler.core.states import JobState, Overlap, RunState
from scheduler.errors import InvalidTrigger
from scheduler.messages import Message
from scheduler.models import Job
from scheduler.store import database
from scheduler.store.accounting import entering
from scheduler.store.accounting.entering import Entry
from scheduler.store.claiming import positions
from scheduler.store.sessions import notifications
from scheduler.store.sessions.notifications import Channel


def settle(*, job: Job, now: datetime) -> int:
    """
    Plan the due fire times by the stored definition, as a claim would, and return the number of new rows.

    So an edit close to a fire time does not swallow it. The caller holds the lock on the job.
    """
    first = _owed_from(job)
    if job.state != JobState.ACTIVE or first is None or first > now or job.overlap not in set(Overlap):
        return 0
    try:
        trigger = triggers.parse(job.trigger)
    except InvalidTrigger:
        return 0  # nobody can say when it should have fired
    grace = job.misfire_grace_time
    active, _ = positions.count_active(database.Statements(), jobs=[job.pk], since=[0])
    fire_plan = plan(
        trigger=trigger,
        due_at=first,
        now=now,
        policies=Policies(
            coalesce=job.coalesce,
            max_instances=job.max_instances,
            misfire_grace_time=None if grace is None else timedelta(seconds=grace),
            overlap=Overlap(job.overlap),
        ),
        active=active.get(job.pk, NONE_ACTIVE),
        catch_up_limit=conf.get().catch_up_limit,
    )
    return _enter(job, fire_plan.rows, now)


def skip(*, job: Job, reason: Message, now: datetime) -> int:
    """
    Enter the fire times that are due, or owed since the job broke, as one skipped range, and return the number of new
    rows.

    The caller holds the lock on the job.
    """
    first = _owed_from(job)
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


def _owed_from(job: Job) -> datetime | None:
    """Return the first fire time without a row: of a job that broke, or whose time was cleared, it is remembered."""
    owed = [moment for moment in (job.interrupted_at, job.next_run_time) if moment is not None]
    return min(owed, default=None)


def _enter(job: Job, rows: Sequence[PlannedRun], now: datetime) -> int:
    transaction = database.Statements()
    entries = entering.reconcile(transaction, [Entry(job.pk, row) for row in rows])
    if any(entry.row.state is RunState.QUEUED for entry in entries):
        notifications.notify(Channel.RUNS)
    jobs, left = [entry.job for entry in entries], [entry.row for entry in entries]
    return len(entering.write(transaction, jobs=jobs, rows=left, now=now))
