"""
Calendars that change: when a job is due by the new ones, without losing and without doubling a fire time.

A fire time that is left out and moved has two times, its own and the one it was moved to, and a change may come between
them. One that was moved to a time still to come would be lost if the new calendars move it nowhere: it stays. One that
ran ahead of its own time would run a second time: it has a row before it is due.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from scheduler.core.triggers import Trigger
from scheduler.core.triggers.budget import PLAN_STEPS, Budget
from scheduler.core.triggers.calendared import MOST_DAYS, CalendaredTrigger, Otherwise
from scheduler.core.triggers.trigger import MOMENT
from scheduler.messages import Message

_FAR = timedelta(days=MOST_DAYS + 1)


class Settled(NamedTuple):
    """When a job is due by its new calendars, and what is entered as skipped before."""

    next_fire_time: datetime | None
    skipped: tuple[tuple[datetime, Message], ...]
    """Fire times that ran already, moved to an earlier day, with the reason that moved them."""


def settle(*, before: Trigger, after: Trigger, now: datetime) -> Settled:
    """
    Return when a job that is not due yet is due, after its calendars have changed.

    :raises TooCostly: its trigger has to be searched for too long
    """
    with Budget(2 * PLAN_STEPS):
        following = after.next_after(now)
        kept = dict(_moved(before, begin=now - _FAR, until=now, later=True))
        still = {at for at, _ in _moved(after, begin=now - _FAR, until=now, later=True)}
        lost = [target for at, target in kept.items() if at not in still]
        skipped: dict[datetime, Message] = {}
        for at, _ in _moved(before, begin=now + MOMENT, until=now + _FAR, later=False):
            for again in _again(after, at, now):
                skipped[again] = _reason(before, at)
        while following is not None and following in skipped:
            following = after.next_after(following)
    return Settled(min([*lost, *([following] if following else [])], default=None), tuple(sorted(skipped.items())))


def _moved(trigger: Trigger, *, begin: datetime, until: datetime, later: bool) -> Iterator[tuple[datetime, datetime]]:
    """
    Yield fire times of the rule that are moved, each with its target, if that is on the other side of now.

    ``later``: those up to now whose targets are later than ``until``; else those from ``begin`` whose targets are
    earlier.
    """
    if not isinstance(trigger, CalendaredTrigger):
        return
    direction = Otherwise.NEXT_DAY if later else Otherwise.PREVIOUS_DAY
    moment = trigger.rule.at_or_after(begin) if trigger.otherwise is direction else None
    while moment is not None and moment <= until:
        if trigger.left_out(moment) is None:
            moment = trigger.rule.at_or_after(max(trigger.unchanged_until(moment), moment + MOMENT))
            continue
        target = trigger.moved_to(moment)
        if target is not None and (target > until if later else target < begin):
            yield moment, target
        moment = trigger.rule.at_or_after(moment + MOMENT)
    if later and (window := trigger.window_open_at(until)) is not None:
        yield window


def _again(after: Trigger, at: datetime, now: datetime) -> Iterator[datetime]:
    """Yield the fire time, to come, that would run although the one at ``at`` has run already."""
    if not isinstance(after, CalendaredTrigger) or after.left_out(at) is None:
        yield at
    elif (target := after.moved_to(at)) is not None and target > now:
        yield target


def _reason(before: Trigger, at: datetime) -> Message:
    assert isinstance(before, CalendaredTrigger)  # noqa: S101 - otherwise nothing was moved
    reason = before.left_out(at)
    assert reason is not None  # noqa: S101 - it was moved because it is left out
    return reason
