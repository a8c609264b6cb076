"""
Triggers: the rules that say when. One module for form, serializer, model, preview and engine alike.

**The JSON.** A trigger is stored, sent and accepted as a JSON object::

    {"type": "cron", "expression": "*/15 9-17 * * mon-fri", "timezone": "Europe/Berlin"}
    {"type": "cron", "fields": {"day": "2nd sun", "hour": "3"}, "timezone": "Europe/Berlin"}
    {"type": "interval", "minutes": 30}
    {"type": "date", "run_at": "2027-03-01T09:00:00+01:00"}
    {"type": "calendar", "months": 1, "at": "02:30", "timezone": "Europe/Berlin"}
    {"type": "or", "triggers": [...]}      {"type": "and", "triggers": [...]}

The whole of it may have ``only_on`` and ``not_on``, lists of names of calendars, and ``otherwise`` (``skip``,
``next_day``, ``previous_day``): see ``calendared``. As it is stored, it also has the digests of these calendars, under
``calendars``, and under ``windows`` the maintenance windows of the job's tags; ``without_pins`` takes them out.

Each may have ``timezone`` (an IANA name or an offset such as ``+02:00``), ``start_at``, ``end_at`` and
``jitter_seconds``. Without a ``timezone`` a trigger has the default one, which is the project's (``TIME_ZONE``). A date
has the offset that its ``run_at`` is written with, a combination the zone of its first trigger. Jitter delays a run and
never moves a fire time, so that triggers ignore it.

**Times are stored as they are meant**: a date and a time of day on the clocks of the trigger's zone, without an offset.
Their instants are computed when they are needed, so that another ``timezone`` alone moves no date, and new rules of a
zone move no time of day. A time that is given with an offset is stored as the wall time that it is in the zone. Two
times keep their offset because they are instants: the ``start_at`` of an interval that was given with one, or computed,
and a time that clocks show twice, if the second one is meant.

``parse`` checks it and compiles it into a ``Trigger``. ``normalize`` returns the form that is stored: defaults are
filled in, keys have an order, and triggers without an anchor get one, so that the phase survives restarts and edits of
other things. Normalizing twice gives the same form.

**Clock changes.** The rules are those of Debian's cron, for every kind of wall clock trigger:

* a fixed time of day that is left out when clocks go forward fires once, right after the gap. Several times in one gap,
  or one in it and one at its end, are one fire time.
* a fixed time that is shown twice when clocks go back fires the first time only.
* a cron with a wildcard (``*``, ``*/5``) in the minute or the hour follows the clock: a time that it never shows does
  not fire, a time that it shows twice fires twice.

An expression with seconds obeys the same rules. Intervals are absolute time and do not care. A day that a zone leaves
out altogether (Samoa, 30 December 2011) is a gap as any other.

**Cron.** Day of month and day of week are alternatives unless one of them begins with ``*``, as in crontab(5). Sunday
is 0 and 7. ``L``, ``LW``, ``L-2``, ``15W``, ``friL`` and ``fri#2`` are those of Quartz.

A cron by fields has APScheduler's language: all fields must match, Monday is 0, and fields after the last one given are
at their minimum. APScheduler 3.11's own ``CronTrigger`` is not used, because it loses whole days after clocks went
forward. cronsim judges which days match an expression. The clock is ours, because cronsim steps through gaps minute by
minute and leaves expressions with seconds out of its rules.

**Calendar.** From the date of ``start_at`` on, months and years are added until that day exists (31 January, then
31 March), then weeks and days: as APScheduler's ``CalendarIntervalTrigger``. Unlike there, a time in a gap is not left
out, but fires right after it.

**Chains.** The engine holds one known fire time of a job, ``next_run_time``. ``latest``, ``count``, ``upcoming`` and
``most_recent`` answer from there by arithmetic: a one-second interval that was down for a year costs what a minute
does. Only combinations search step by step, within bounds that ``combinations`` and ``budget`` name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from scheduler.core.triggers import budget, error_messages
from scheduler.core.triggers.budget import Budget, TooCostly
from scheduler.core.triggers.calendared import MOST_A_DAY, CalendaredTrigger, Otherwise
from scheduler.core.triggers.combinations import AndTrigger, Combination
from scheduler.core.triggers.dates import DateTrigger
from scheduler.core.triggers.description.clock_changes import ClockChange, ClockEffect, clock_change
from scheduler.core.triggers.description.remarks import remarks
from scheduler.core.triggers.description.sentences import describe
from scheduler.core.triggers.reading import CALENDAR_KEYS, PINS, ends_too_early, parse, parse_cached, parsing_once
from scheduler.core.triggers.trigger import MOMENT, Trigger, long_date, time_now
from scheduler.errors import InvalidTrigger, NeverFires
from scheduler.messages import Message

__all__ = [
    "CALENDAR_KEYS",
    "CalendaredTrigger",
    "ClockChange",
    "ClockEffect",
    "InvalidTrigger",
    "NeverFires",
    "TooCostly",
    "Trigger",
    "Upcoming",
    "check_future",
    "clock_change",
    "current_form",
    "describe",
    "fire_time_when_resumed",
    "first_fire_time",
    "has_calendars",
    "is_same",
    "left_out",
    "next_fire_times",
    "normalize",
    "parse",
    "parse_cached",
    "parsing_once",
    "remarks",
    "upcoming",
    "without_pins",
]

_OUTAGE = timedelta(weeks=1)
_SEASON = timedelta(days=91)


def normalize(trigger: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    """
    Return the trigger as it is stored. An interval without ``start_at`` starts one interval after ``now``.

    :raises InvalidTrigger: it cannot be used
    :raises NeverFires: it has no fire time
    :raises TooCostly: its parts have to be searched for too long
    """
    settled = parse(without_digests(trigger)).settled(now=now)
    if settled.start_at is not None and settled.end_at is not None and settled.end_at < settled.start_at:
        raise ends_too_early(settled, first=settled.start_at)
    rule = settled.rule if isinstance(settled, CalendaredTrigger) else settled
    if isinstance(rule, Combination):
        _check_search(rule, now=now)
    if isinstance(settled, CalendaredTrigger):
        check_calendars(settled, now=now)
    # Read again: with the anchor just fixed, nothing may lie before the end any more.
    return parse(settled.as_json()).as_json()


def _check_search(settled: Combination, *, now: datetime) -> None:
    """
    Check that the triggers agree at some instant, and that planning them takes no longer than the engine may take.

    :raises NeverFires: they never agree
    :raises TooCostly: the plan after a week's outage exceeds its budget, now or in another season
    """
    with Budget(budget.SAVE_STEPS):
        if isinstance(settled, AndTrigger) and settled.disagrees(now=now):
            raise NeverFires(error_messages.NEVER_TOGETHER(), pointer="/triggers")
    for season in range(4):
        with Budget(budget.OUTAGE_STEPS):
            settled.search_as_a_plan_does(since=now + season * _SEASON, until=now + season * _SEASON + _OUTAGE)


def check_calendars(settled: CalendaredTrigger, *, now: datetime) -> None:
    """
    Check that calendars leave something of a trigger, and that planning it takes no longer than the engine may take.

    :raises NeverFires: every fire time is left out
    :raises TooCostly: the plan after a week's outage exceeds its budget, now or in another season
    :raises InvalidTrigger: it fires too often for its fire times to be moved
    """
    first = settled.rule.first_after(now)
    if first is None or first < now:
        return  # it is over, which is for others to say
    if settled.otherwise is not Otherwise.SKIP:
        most = MOST_A_DAY
        if settled.rule.count_after(first - MOMENT, until=first + timedelta(days=1) - MOMENT) > most:
            problem = error_messages.TOO_OFTEN_TO_MOVE(choice=settled.otherwise.value, most=most)
            raise InvalidTrigger(problem, pointer="/otherwise", code="too_often")
    key = "/not_on" if settled.not_on else "/only_on"
    try:
        with Budget(budget.SAVE_STEPS):
            if settled.first_allowed(now - MOMENT) is None:
                raise NeverFires(error_messages.ALWAYS_LEFT_OUT(), pointer=key)
    except TooCostly:
        raise NeverFires(error_messages.ALWAYS_LEFT_OUT(), pointer=key) from None
    for season in range(4):
        with Budget(budget.OUTAGE_STEPS):
            since = now + season * _SEASON
            moment = settled.next_after(since)
            if moment is not None and moment <= since + _OUTAGE:
                settled.latest(first=moment, until=since + _OUTAGE)


def left_out(trigger: Any, *, at: datetime) -> Message | None:
    """
    Return why nothing runs at a fire time of a stored trigger; ``None``: it runs.

    :raises InvalidTrigger: it cannot be used
    """
    if not has_calendars(trigger):
        return None
    compiled = parse(trigger)
    return compiled.left_out(at) if isinstance(compiled, CalendaredTrigger) else None


def has_calendars(trigger: Any) -> bool:
    """Whether a stored trigger has calendars or maintenance windows."""
    return isinstance(trigger, Mapping) and not trigger.keys().isdisjoint(("only_on", "not_on", *PINS))


def without_digests(trigger: Any) -> Any:
    """Return a trigger whose calendars are meant as they are now; its maintenance windows stay."""
    if not isinstance(trigger, Mapping) or "calendars" not in trigger:
        return trigger
    return {key: value for key, value in trigger.items() if key != "calendars"}


def without_pins(trigger: Any) -> Any:
    """Return a stored trigger as a person writes it: its calendars by name, without what the services add."""
    if not isinstance(trigger, Mapping):
        return trigger
    return {key: value for key, value in trigger.items() if key not in PINS}


def current_form(trigger: Any) -> Any:
    """Return a stored trigger in its present form. A trigger that cannot be read is returned unchanged."""
    try:
        return without_pins(parse(trigger).as_json())
    except (InvalidTrigger, TypeError, AttributeError):
        return trigger


def is_same(one: Any, other: Any) -> bool:
    """Whether two stored triggers mean the same, however they are written."""
    if one == other:
        return True
    try:
        return parse(one) == parse(other)
    except (InvalidTrigger, TypeError, AttributeError):
        return False


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


def _compiled(trigger: Mapping[str, Any] | Trigger) -> Trigger:
    return trigger if isinstance(trigger, Trigger) else parse(trigger)
