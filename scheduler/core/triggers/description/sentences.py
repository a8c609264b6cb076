"""Triggers in words, from what the parser understood: never a sentence about what cannot happen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from scheduler.core.triggers.calendar_intervals import CalendarTrigger
from scheduler.core.triggers.calendared import CalendaredTrigger, Otherwise
from scheduler.core.triggers.combinations import AndTrigger, Combination, OrTrigger
from scheduler.core.triggers.cron.crons import CronTrigger, FieldsTrigger
from scheduler.core.triggers.cron.crontab_fields import month_name
from scheduler.core.triggers.dates import DateTrigger
from scheduler.core.triggers.description.days import (
    COUNTED,
    WEEKDAY,
    DayWords,
    days_of_crontab,
    days_of_fields,
    in_words,
    ordinal,
)
from scheduler.core.triggers.description.lists import join
from scheduler.core.triggers.description.times_of_day import MOST_TIMES, counted, render_at, render_times
from scheduler.core.triggers.intervals import IntervalTrigger
from scheduler.core.triggers.reading import parse
from scheduler.core.triggers.trigger import Trigger, long_date
from scheduler.messages import phrase, phrase_in, phrase_of, row


def describe(trigger: Mapping[str, Any] | Trigger) -> str:
    """
    Say in words when a trigger fires, as a phrase that can be put into another language.

    :raises InvalidTrigger: it cannot be used
    """
    compiled = trigger if isinstance(trigger, Trigger) else parse(trigger)
    if isinstance(compiled, CalendaredTrigger):
        return row(", ", [describe(compiled.rule), *_calendars(compiled)])
    return row(", ", [_rule(compiled), *_limits(compiled)])


def _calendars(trigger: CalendaredTrigger) -> list[str]:
    said: list[str] = []
    if trigger.only_on:
        said.append(phrase("only on {calendars}", calendars=join(trigger.only_on)))
    if trigger.not_on:
        said.append(phrase("not on {calendars}", calendars=join(trigger.not_on)))
    if trigger.otherwise is Otherwise.NEXT_DAY:
        said.append(phrase("otherwise on the next day that is allowed"))
    if trigger.otherwise is Otherwise.PREVIOUS_DAY:
        said.append(phrase("otherwise on the day before that is allowed"))
    return said


def _rule(trigger: Trigger) -> str:
    zone = trigger.timezone
    if isinstance(trigger, DateTrigger):
        return phrase("once, on {date}, {timezone}", date=long_date(trigger.run_at, zone), timezone=zone)
    if isinstance(trigger, IntervalTrigger):
        name, number = trigger.unit
        return phrase("every {interval}", interval=counted(number, name))
    if isinstance(trigger, CalendarTrigger):
        return row(", ", [_calendar(trigger), zone])
    if isinstance(trigger, CronTrigger):
        crontab = trigger.crontab
        return row(", ", [_cron(render_times(crontab.times), days_of_crontab(crontab)), zone])
    if isinstance(trigger, FieldsTrigger):
        return row(", ", [_cron(render_times(trigger.clock.times), days_of_fields(dict(trigger.fields))), zone])
    if isinstance(trigger, Combination):
        if isinstance(trigger, OrTrigger) and (said := _together(trigger)):
            return row(", ", [said, zone])
        inner = [describe(part) for part in trigger.triggers]
        if isinstance(trigger, AndTrigger):
            return phrase("when all of these agree: {rules}", rules=row("; ", inner))
        return row(phrase_in("between two triggers", "; or "), inner)
    raise TypeError(f"There are no words for {type(trigger).__name__}.")


def _together(trigger: OrTrigger) -> str:
    """Say times of the same days, or days every few weeks, in one sentence. Empty: the triggers share too little."""
    parts = trigger.triggers
    if any(part.timezone != trigger.timezone or part.end_at or part.jitter_seconds for part in parts):
        return ""
    crons = [part for part in parts if isinstance(part, CronTrigger) and part.start_at is None]
    if len(crons) == len(parts):
        times = sorted({cron.crontab.times.ranked(rank) for cron in crons for rank in range(cron.crontab.times.size)})
        days = {days_of_crontab(cron.crontab) for cron in crons}
        return _cron(render_at(times), days.pop()) if len(days) == 1 and len(times) <= MOST_TIMES else ""
    weekly = [part for part in parts if isinstance(part, CalendarTrigger) and part.weeks and part.start_at is not None]
    return _weeks_together(weekly) if len(weekly) == len(parts) else ""


def _weeks_together(parts: Sequence[CalendarTrigger]) -> str:
    if len({(part.weeks, part.years, part.months, part.days) for part in parts}) > 1 or parts[0].months:
        return ""
    starts = {(part.start_at.astimezone(part.clock.zone).date(), part.at) for part in parts if part.start_at}
    days, times = {day for day, _ in starts}, {at for _, at in starts}
    mondays = {day - timedelta(days=day.weekday()) for day in days}
    if len(mondays) > 1 or len(starts) != len(days) * len(times) or parts[0].years or parts[0].days:
        return ""
    interval = counted(parts[0].weeks, "weeks")
    weekdays = join([phrase_in(*WEEKDAY[(day.weekday() + 1) % 7]) for day in sorted(days)])
    at = render_at(sorted(at.hour * 3600 + at.minute * 60 + at.second for at in times))
    return phrase("every {interval} on {weekday} {at}", interval=interval, weekday=weekdays, at=at)


def _limits(trigger: Trigger) -> list[str]:
    said: list[str] = []
    # An interval and a calendar always have a start once they are stored: it is their phase, not a limit.
    if trigger.start_at is not None and not isinstance(trigger, IntervalTrigger | CalendarTrigger):
        said.append(phrase("from {date}", date=long_date(trigger.start_at, trigger.timezone)))
    if trigger.end_at is not None:
        said.append(phrase("until {date}", date=long_date(trigger.end_at, trigger.timezone)))
    if trigger.jitter_seconds:
        amount = phrase_of(*COUNTED["seconds"], number=trigger.jitter_seconds)
        said.append(phrase("up to {amount} later at random", amount=amount))
    return said


def _calendar(trigger: CalendarTrigger) -> str:
    units = {"years": trigger.years, "months": trigger.months, "weeks": trigger.weeks, "days": trigger.days}
    given = {name: number for name, number in units.items() if number}
    interval = (
        counted(*next((number, name) for name, number in given.items()))
        if len(given) == 1
        else join([phrase_of(*COUNTED[name], number=number) for name, number in given.items()])
    )
    at = render_at([trigger.at.hour * 3600 + trigger.at.minute * 60 + trigger.at.second])
    if trigger.start_at is not None and "days" not in given:
        local = trigger.start_at.astimezone(trigger.clock.zone)
        day = ordinal(local.day)
        if "weeks" not in given and "months" not in given:
            month = month_name(local.month)
            return phrase(
                "every {interval} on the {day} of {month} {at}", interval=interval, day=day, month=month, at=at
            )
        if "weeks" not in given:
            if local.day > 28:
                return phrase("every {interval} that has a {day} on that day {at}", interval=interval, day=day, at=at)
            return phrase("every {interval} on the {day} {at}", interval=interval, day=day, at=at)
        if len(given) == 1:
            weekday = phrase_in(*WEEKDAY[(local.weekday() + 1) % 7])
            return phrase("every {interval} on {weekday} {at}", interval=interval, weekday=weekday, at=at)
    return phrase("every {interval} {at}", interval=interval, at=at)


def _cron(time: str, days: DayWords) -> str:
    day = in_words(days)
    if not day:
        is_whole = time.startswith("every") or time.endswith("every hour")
        return time if is_whole else phrase("{time} every day", time=time)
    if days.either:
        return row(" ", [day, time])
    return phrase_in("when on the days, and on which days", "{time} {day}", time=time, day=day)
