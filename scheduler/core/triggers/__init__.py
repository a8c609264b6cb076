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

from scheduler.core.triggers.budget import TooCostly
from scheduler.core.triggers.calendared import CalendaredTrigger
from scheduler.core.triggers.description.clock_changes import ClockChange, ClockEffect, clock_change
from scheduler.core.triggers.description.remarks import remarks
from scheduler.core.triggers.description.sentences import describe
from scheduler.core.triggers.fire_times import (
    Upcoming,
    check_future,
    fire_time_when_resumed,
    first_fire_time,
    left_out,
    next_fire_times,
    upcoming,
)
from scheduler.core.triggers.normalizing import normalize
from scheduler.core.triggers.reading import parse, parse_cached, parsing_once
from scheduler.core.triggers.reading.forms import CALENDAR_KEYS
from scheduler.core.triggers.stored_forms import current_form, has_calendars, is_same, without_pins
from scheduler.core.triggers.trigger import Trigger
from scheduler.errors import InvalidTrigger, NeverFires

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
