"""Fire times to come, with those that calendars leave out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from scheduler.core.triggers import budget, error_messages
from scheduler.core.triggers.budget import Budget
from scheduler.core.triggers.calendared import CalendaredTrigger, Otherwise
from scheduler.core.triggers.dates import DateTrigger
from scheduler.core.triggers.reading import parse
from scheduler.core.triggers.reading.instants import ends_too_early
from scheduler.core.triggers.stored_forms import has_calendars
from scheduler.core.triggers.trigger import MOMENT, Trigger, long_date, time_now
from scheduler.errors import NeverFires
from scheduler.messages import Message


def next_fire_times(trigger: Mapping[str, Any], *, after: datetime, count: int) -> list[datetime]:
    """
    Return the next ``count`` fire times strictly after ``after``, in UTC, or fewer if it ends before.

    Those that calendars leave out are not among them. A trigger without an anchor is taken as if it were created at
    ``after``.

    :raises InvalidTrigger: it cannot be used
    :raises NeverFires: it has no fire time
    :raises TooCostly: its parts have to be searched for too long
    """
    found = [each.at for each in upcoming(trigger, after=after, count=count) if each.left_out is None]
    return found[:count]


class Upcoming(NamedTuple):
    """A fire time to come, or several that are left out for the same reason."""

    at: datetime
    """The first of them."""

    left_out: Message | None = None
    """Why nothing runs; ``None``: it runs."""

    until: datetime | None = None
    """The last of several."""

    moved_to: datetime | None = None
    """When the first of them runs instead."""


def upcoming(trigger: Mapping[str, Any], *, after: datetime, count: int) -> list[Upcoming]:
    """
    Return the next ``count`` fire times strictly after ``after`` that run, and between them those that are left out.

    :raises InvalidTrigger, NeverFires, TooCostly: as ``next_fire_times``
    """
    after = after.astimezone(UTC)
    compiled = parse(trigger).settled(now=after)
    found: list[Upcoming] = []
    with Budget(budget.PREVIEW_STEPS + budget.FIRE_TIME_STEPS * count):
        moment = compiled.next_after(after)
        while moment is not None and count > 0:
            last = moment
            if not isinstance(compiled, CalendaredTrigger):
                found.append(Upcoming(moment))
                count -= 1
            else:
                last = _add(found, compiled, moment)
                count -= found[-1].left_out is None
            moment = compiled.next_after(last)
    return found


def _add(found: list[Upcoming], trigger: CalendaredTrigger, moment: datetime) -> datetime:
    """Add a fire time, and with it all that are left out for the same reason; return the last one of them."""
    reason = trigger.left_out(moment)
    if reason is None:
        found.append(Upcoming(moment))
        return moment
    last = trigger.latest(first=moment, until=trigger.unchanged_until(moment) - MOMENT)
    if found and found[-1].left_out == reason and trigger.otherwise is Otherwise.SKIP:
        found[-1] = found[-1]._replace(until=last)
    else:
        last = moment if trigger.otherwise is not Otherwise.SKIP else last
        until = last if last > moment else None
        found.append(Upcoming(moment, reason, until, trigger.moved_to(moment)))
    return last


def left_out(trigger: Any, *, at: datetime) -> Message | None:
    """
    Return why nothing runs at a fire time of a stored trigger; ``None``: it runs.

    :raises InvalidTrigger: it cannot be used
    """
    if not has_calendars(trigger):
        return None
    compiled = parse(trigger)
    return compiled.left_out(at) if isinstance(compiled, CalendaredTrigger) else None


def first_fire_time(trigger: Mapping[str, Any] | Trigger, *, now: datetime) -> datetime | None:
    """
    Return the first due time of a job that is created or resumed ``now``, or ``None`` if it never fires again.

    That is strictly after ``now``, with two exceptions: an interval's ``start_at`` or a date's ``run_at`` that is just
    ``now`` counts, and a date that is over is returned all the same, as APScheduler does. The misfire grace time then
    decides whether it is too late to run. ``check_future`` checks people's input.
    """
    return _compiled(trigger).first_after(now)


def fire_time_when_resumed(trigger: Mapping[str, Any] | Trigger, *, now: datetime) -> datetime | None:
    """Return when a job that is resumed ``now`` is due: what passed while it was paused is not made up for."""
    found = first_fire_time(trigger, now=now)
    return None if found is not None and found < now else found  # the one instant of a date is over


def check_future(trigger: Mapping[str, Any] | Trigger, *, now: datetime) -> datetime:
    """
    Return the first fire time not before ``now``.

    :raises NeverFires: all of it is over
    """
    compiled = _compiled(trigger)
    if isinstance(compiled, CalendaredTrigger):
        check_future(compiled.rule, now=now)
        first = compiled.first_after(now)
        if first is not None:
            return first
    first = compiled.first_after(now)
    over = compiled.end_at
    if isinstance(compiled, DateTrigger) and compiled.run_at < now:
        first, over = None, compiled.run_at
    if first is not None:
        return first
    if over is not None and over <= now:
        raise NeverFires(
            error_messages.DATE_IS_OVER(
                date=long_date(over, compiled.timezone),
                timezone=compiled.timezone,
                now=time_now(now, compiled.timezone, than=over),
            ),
            pointer="/run_at" if isinstance(compiled, DateTrigger) else "/end_at",
        )
    if over is not None:
        raise ends_too_early(compiled, first=replace(compiled, end_at=None).first_after(now))
    raise NeverFires(error_messages.LAST_FIRE_TIME_IS_OVER())


def _compiled(trigger: Mapping[str, Any] | Trigger) -> Trigger:
    return trigger if isinstance(trigger, Trigger) else parse(trigger)
