"""
The plan for each due fire time: it runs, is folded into a run, is missed, or is skipped.

The rules are those of APScheduler 3.11 (``BaseScheduler._process_jobs``, ``run_job``), with three differences: every
fire time is recorded, lateness is judged here instead of when a thread becomes free, and long outages are not
enumerated.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from scheduler.core import reasons
from scheduler.core.states import Overlap, RunState
from scheduler.core.triggers import Trigger, budget
from scheduler.core.triggers.budget import Budget
from scheduler.core.triggers.dates import DateTrigger
from scheduler.core.triggers.intervals import IntervalTrigger
from scheduler.messages import Message

_OF_ANY_MOMENT: frozenset[type[Trigger]] = frozenset({IntervalTrigger, DateTrigger})
"""The others fire at whole seconds."""

_INSTANT = timedelta(microseconds=1)
_MILLISECOND = timedelta(milliseconds=1)


class PlannedRun(NamedTuple):
    """
    One row of the ledger to be written. It stands for ``coalesced + 1`` fire times.

    A tuple with names, because a node makes thousands a second: a frozen dataclass takes four times as long to make.
    """

    scheduled_at: datetime
    """The newest of them."""

    covers_from: datetime | None = None
    """The oldest of them. ``None``: there is only one."""

    coalesced: int = 0
    state: RunState = RunState.QUEUED
    """``queued``, or ``missed`` or ``skipped``, with a reason."""

    reason: Message | None = None
    held: bool = False
    """Waits until another run of its job has ended."""

    folded_into: int | None = None
    """No row of its own: the run with this id, which waits for its turn, stands for these fire times as well."""


class FirePlan(NamedTuple):
    """The rows for all due fire times: exactly one row covers each."""

    rows: tuple[PlannedRun, ...]
    """Oldest first."""

    next_fire_time: datetime | None
    """When the job is due again. ``None`` ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The policies of a job for its due fire times."""

    coalesce: bool
    max_instances: int
    misfire_grace_time: timedelta | None
    """``None``: never too late."""

    overlap: Overlap = Overlap.SKIP


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """The runs of a job that are not finished."""

    runs: int = 0
    """Queued or running, and not held aside."""

    manual: int = 0
    """Those of them that a person asked for: a fire time waits for them and is not skipped."""

    waiting: int | None = None
    """The id of the newest run that waits for its turn, if there is one."""

    waiting_at: datetime | None = None
    """The newest fire time that it stands for."""


NONE_ACTIVE = Active()


@lru_cache(maxsize=1024)
def policies_of(coalesce: bool, max_instances: int, grace_seconds: int | None, overlap: str) -> Policies:
    """Return the same object for the same policies: most jobs have those of the settings."""
    return Policies(
        coalesce=coalesce,
        max_instances=max_instances,
        misfire_grace_time=None if grace_seconds is None else timedelta(seconds=grace_seconds),
        overlap=Overlap(overlap),
    )


def plan(
    trigger: Trigger, due_at: datetime, now: datetime, policies: Policies, active: Active, catch_up_limit: int
) -> FirePlan:
    """Account for fire times that all may run."""
    if trigger.is_combined and not budget.is_limited():
        with Budget(budget.PLAN_STEPS):
            return plan(trigger, due_at, now, policies, active, catch_up_limit)
    if active.waiting is not None and active.waiting_at is not None and trigger.next_after(active.waiting_at) == due_at:
        return into_the_waiting(trigger, due_at, now, active.waiting)
    next_fire_time = trigger.next_after(due_at)
    if next_fire_time is None or next_fire_time > now:
        return FirePlan(rows=(single(due_at, now, policies, active),), next_fire_time=next_fire_time)
    last = trigger.latest(first=due_at, until=now)
    rows = (
        (folded(trigger, due_at, last, now, policies, active),)
        if policies.coalesce
        else each_row(trigger, due_at, last, now, policies, active, catch_up_limit)
    )
    return FirePlan(rows=rows, next_fire_time=trigger.next_after(last))


def exact(trigger: Trigger, due_at: datetime) -> datetime:
    """
    Return the trigger's own fire time where what is due was cut to milliseconds, as ``dumpdata`` and other programs do.

    It would fire then, and once more some microseconds later.
    """
    if due_at.microsecond % 1000 or not (due_at.microsecond or type(trigger) in _OF_ANY_MOMENT):
        return due_at
    meant = trigger.at_or_after(due_at)
    return due_at if meant is None or meant - due_at >= _MILLISECOND else meant


def into_the_waiting(trigger: Trigger, first: datetime, now: datetime, waiting: int) -> FirePlan:
    """
    Let the run that waits for its turn stand for everything that is due, also where there is room again.

    It stands for all fire times from its first to its newest: one in between with a row of its own would be covered
    twice. Later fire times never overtake it, and after a pause or another trigger they are not folded into it.
    """
    last = trigger.latest(first=first, until=now)
    row = PlannedRun(
        scheduled_at=last,
        covers_from=None if last == first else first,
        coalesced=trigger.count(first=first, until=last) - 1,
        folded_into=waiting,
    )
    return FirePlan(rows=(row,), next_fire_time=trigger.next_after(last))


def single(fire_time: datetime, now: datetime, policies: Policies, active: Active) -> PlannedRun:
    if is_late(fire_time, now, policies):
        return PlannedRun(scheduled_at=fire_time, state=RunState.MISSED, reason=lateness(fire_time, now, policies))
    return placed(PlannedRun(scheduled_at=fire_time), policies, active)


def placed(row: PlannedRun, policies: Policies, active: Active) -> PlannedRun:
    """Say what becomes of a row in time: it runs, waits for its turn, or is skipped."""
    if active.runs < policies.max_instances:
        return row
    if policies.overlap is Overlap.SKIP and active.runs - active.manual >= policies.max_instances:
        return row._replace(state=RunState.SKIPPED, reason=_overlap(active, policies))
    return row._replace(held=True)


def folded(
    trigger: Trigger, first: datetime, last: datetime, now: datetime, policies: Policies, active: Active
) -> PlannedRun:
    coalesced = trigger.count(first=first, until=last) - 1
    row = PlannedRun(scheduled_at=last, covers_from=first, coalesced=coalesced)
    if is_late(last, now, policies):
        return row._replace(state=RunState.MISSED, reason=lateness(last, now, policies))
    return placed(row, policies, active)


def each_row(
    trigger: Trigger,
    first: datetime,
    last: datetime,
    now: datetime,
    policies: Policies,
    active: Active,
    catch_up_limit: int,
) -> tuple[PlannedRun, ...]:
    rows: list[PlannedRun] = []
    newest = trigger.most_recent(first=first, until=last, limit=catch_up_limit)
    in_time = [fire_time for fire_time in newest if not is_late(fire_time, now, policies)]
    oldest_kept = in_time[0] if in_time else None
    if policies.misfire_grace_time is not None:
        cutoff = now - policies.misfire_grace_time - _INSTANT
        if first <= cutoff:
            missed_last = trigger.latest(first=first, until=min(cutoff, last))
            rows.append(range_row(trigger, first, missed_last, RunState.MISSED, lateness(missed_last, now, policies)))
            following = trigger.next_after(missed_last)
            if following is None or following > last:
                return tuple(rows)
            first = following
    if oldest_kept is not None and first < oldest_kept:
        dropped_last = trigger.latest(first=first, until=oldest_kept - _INSTANT)
        reason = reasons.TOO_MANY_DUE(most=catch_up_limit)
        rows.append(range_row(trigger, first, dropped_last, RunState.SKIPPED, reason))
    slots = policies.max_instances - active.runs
    if slots <= 0 and in_time:
        rows.append(placed(range_row(trigger, in_time[0], in_time[-1], RunState.QUEUED, None), policies, active))
    else:
        rows += [PlannedRun(scheduled_at=at, held=place >= slots) for place, at in enumerate(in_time)]
    return tuple(rows)


def range_row(trigger: Trigger, first: datetime, last: datetime, state: RunState, reason: Message | None) -> PlannedRun:
    if first == last:
        return PlannedRun(scheduled_at=first, state=state, reason=reason)
    coalesced = trigger.count(first=first, until=last) - 1
    return PlannedRun(scheduled_at=last, covers_from=first, coalesced=coalesced, state=state, reason=reason)


def is_late(fire_time: datetime, now: datetime, policies: Policies) -> bool:
    return policies.misfire_grace_time is not None and now - fire_time > policies.misfire_grace_time


def lateness(fire_time: datetime, now: datetime, policies: Policies) -> Message:
    assert policies.misfire_grace_time is not None  # noqa: S101 - only called when it was judged late
    return reasons.TOO_LATE(late=_seconds(now - fire_time), grace=_seconds(policies.misfire_grace_time))


def _overlap(active: Active, policies: Policies) -> Message:
    return reasons.STILL_ACTIVE(number=active.runs, most=policies.max_instances)


def _seconds(duration: timedelta) -> float:
    """Return tenths of a second. A whole number where there are none, so that it is written without them."""
    seconds = round(duration.total_seconds(), 1)
    return int(seconds) if seconds == int(seconds) else seconds
