"""
Planning fire times of which calendars leave some out.

Due fire times form stretches: of each, either all may run, or all are left out for one reason. A stretch that is left
out is one skipped row. The others are planned as without a calendar, with two differences. With
``coalesce``, only the last of them runs: those before it are folded, and have rows that say so, because a row must not
cover what another one covers. And a run that waits for its turn stands for fire times up to the next one left out.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from scheduler.core import reasons
from scheduler.core.planning import fire_plans
from scheduler.core.planning.fire_plans import Active, FirePlan, PlannedRun, Policies
from scheduler.core.states import RunState
from scheduler.core.triggers import budget
from scheduler.core.triggers.budget import Budget
from scheduler.core.triggers.calendared import CalendaredTrigger
from scheduler.messages import Message

MOST_STRETCHES = 100
"""As many are planned at once. The job is still due then, and the next claim goes on."""

_INSTANT = timedelta(microseconds=1)
_UNLIMITED = 2**31


class Stretch(NamedTuple):
    """Fire times one after the other, from ``first`` to ``last``."""

    first: datetime
    last: datetime
    reason: Message | None
    """Why they are left out; ``None``: they may run."""


def plan(
    trigger: CalendaredTrigger,
    due_at: datetime,
    now: datetime,
    policies: Policies,
    active: Active,
    catch_up_limit: int,
) -> FirePlan:
    """Account for every fire time from ``due_at`` to ``now``, or for the first ``MOST_STRETCHES`` stretches of them."""
    if not budget.is_limited():
        with Budget(budget.PLAN_STEPS):
            return plan(trigger, due_at, now, policies, active, catch_up_limit)
    reason = trigger.left_out(due_at)
    following = trigger.next_after(due_at)
    if following is None or following > now:  # as nearly always: one fire time is due
        if reason is not None:
            return FirePlan(rows=(_left_out(trigger, Stretch(due_at, due_at, reason)),), next_fire_time=following)
        return fire_plans.plan(trigger, due_at, now, policies, active, catch_up_limit)
    stretches, following = _stretches(trigger, due_at, now)
    if reason is None and _follows_the_waiting(trigger, due_at, active):
        assert active.waiting is not None  # noqa: S101 - it was looked for
        return fire_plans.into_the_waiting(trigger, due_at, stretches[0].last, active.waiting)
    if policies.coalesce:
        rows = _coalesced(trigger, stretches, now, policies, active)
    else:
        rows = _each(trigger, stretches, now, policies, active, catch_up_limit)
    return FirePlan(rows=tuple(rows), next_fire_time=following)


def _follows_the_waiting(trigger: CalendaredTrigger, due_at: datetime, active: Active) -> bool:
    return (
        active.waiting is not None and active.waiting_at is not None and trigger.next_after(active.waiting_at) == due_at
    )


def _stretches(trigger: CalendaredTrigger, due_at: datetime, now: datetime) -> tuple[list[Stretch], datetime | None]:
    """Return the stretches that are due, oldest first, and the fire time after them."""
    found: list[Stretch] = []
    at: datetime | None = due_at
    while at is not None and at <= now:
        reason = trigger.left_out(at)
        last = trigger.latest(first=at, until=min(now, trigger.unchanged_until(at) - _INSTANT))
        if found and found[-1].reason == reason:
            found[-1] = found[-1]._replace(last=last)
        elif len(found) == MOST_STRETCHES:
            break
        else:
            found.append(Stretch(at, last, reason))
        at = trigger.next_after(last)
    return found, at


def _left_out(trigger: CalendaredTrigger, stretch: Stretch) -> PlannedRun:
    return fire_plans.range_row(trigger, stretch.first, stretch.last, RunState.SKIPPED, stretch.reason)


def _coalesced(
    trigger: CalendaredTrigger, stretches: list[Stretch], now: datetime, policies: Policies, active: Active
) -> list[PlannedRun]:
    newest = max((place for place, stretch in enumerate(stretches) if stretch.reason is None), default=-1)
    rows: list[PlannedRun] = []
    for place, stretch in enumerate(stretches):
        if stretch.reason is not None:
            rows.append(_left_out(trigger, stretch))
        elif place == newest and stretch.first == stretch.last:
            rows.append(fire_plans.single(stretch.first, now, policies, active))
        elif place == newest:
            rows.append(fire_plans.folded(trigger, stretch.first, stretch.last, now, policies, active))
        else:
            rows.append(_before_the_newest(trigger, stretch, now, policies, reasons.LEFT_OUT_FOLDED()))
    return rows


def _before_the_newest(
    trigger: CalendaredTrigger, stretch: Stretch, now: datetime, policies: Policies, reason: Message
) -> PlannedRun:
    state = RunState.SKIPPED
    if fire_plans.is_late(stretch.last, now, policies):
        state, reason = RunState.MISSED, fire_plans.lateness(stretch.last, now, policies)
    return fire_plans.range_row(trigger, stretch.first, stretch.last, state, reason)


def _each(
    trigger: CalendaredTrigger,
    stretches: list[Stretch],
    now: datetime,
    policies: Policies,
    active: Active,
    catch_up_limit: int,
) -> list[PlannedRun]:
    slots = policies.max_instances - active.runs
    # With room, as many run at once as there is room for, of all stretches together: it is found out below.
    allowed = policies if slots <= 0 else replace(policies, max_instances=_UNLIMITED)
    limits = _limits(trigger, stretches, catch_up_limit)
    rows: list[PlannedRun] = []
    for stretch, limit in zip(stretches, limits, strict=True):
        if stretch.reason is not None:
            rows.append(_left_out(trigger, stretch))
        elif not limit:
            reason = reasons.TOO_MANY_DUE(most=catch_up_limit)
            rows.append(_before_the_newest(trigger, stretch, now, policies, reason))
        else:
            rows += fire_plans.each_row(trigger, stretch.first, stretch.last, now, allowed, active, limit)
    if slots <= 0:
        return rows
    placed: list[PlannedRun] = []
    for row in rows:
        if row.state is RunState.QUEUED:
            slots -= 1
        placed.append(row._replace(held=row.state is RunState.QUEUED and slots < 0))
    return placed


def _limits(trigger: CalendaredTrigger, stretches: list[Stretch], most: int) -> list[int]:
    """Return how many fire times of each stretch are run: the newest ``most`` of all."""
    limits = [0] * len(stretches)
    for place in reversed(range(len(stretches))):
        stretch = stretches[place]
        if stretch.reason is None and most:
            limits[place] = min(most, trigger.count(first=stretch.first, until=stretch.last))
            most -= limits[place]
    return limits
