"""Triggers in plain English, from what the parser understood: never a sentence about what cannot happen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cronsim import CronSim

from scheduler.core.triggers.calendars import CalendarTrigger
from scheduler.core.triggers.combinations import AndTrigger, Combination
from scheduler.core.triggers.crons import CronTrigger, FieldsTrigger
from scheduler.core.triggers.crontab import MONTHS, WEEKDAYS, Crontab
from scheduler.core.triggers.dates import DateTrigger
from scheduler.core.triggers.intervals import IntervalTrigger
from scheduler.core.triggers.reading import parse
from scheduler.core.triggers.trigger import Trigger, long_date
from scheduler.core.triggers.walls import TimesOfDay

MOST_TIMES = 6
"""Up to so many times of day are listed one by one."""

ALL_HOURS = tuple(range(24))
ALL_SIXTY = tuple(range(60))
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class _DayWords:
    """What a cron says about days, each part empty if it says nothing."""

    of_month: str = ""
    """``the 1st and 15th`` or ``the last day``."""

    weekday: str = ""
    """``Monday to Friday`` or ``the 2nd Sunday of the month``."""

    months: str = ""
    either: bool = False
    more: str = ""


def describe(trigger: Mapping[str, Any] | Trigger) -> str:
    """
    Say in words when a trigger fires.

    :raises InvalidTrigger: it cannot be used
    """
    compiled = trigger if isinstance(trigger, Trigger) else parse(trigger)
    return _rule(compiled) + _limits(compiled)


def _rule(trigger: Trigger) -> str:
    if isinstance(trigger, DateTrigger):
        return f"once, on {long_date(trigger.run_at, trigger.timezone)}, {trigger.timezone}"
    if isinstance(trigger, IntervalTrigger):
        name, number = trigger.unit
        return f"every {_amount(number, name)}"
    if isinstance(trigger, CalendarTrigger):
        return f"{_calendar(trigger)}, {trigger.timezone}"
    if isinstance(trigger, CronTrigger):
        crontab = trigger.crontab
        return f"{_cron(crontab.times, _crontab_days(crontab))}, {trigger.timezone}"
    if isinstance(trigger, FieldsTrigger):
        return f"{_cron(trigger.clock.times, _field_days(dict(trigger.fields)))}, {trigger.timezone}"
    if isinstance(trigger, Combination):
        inner = [describe(part) for part in trigger.triggers]
        return (
            f"when all of these agree: {'; '.join(inner)}" if isinstance(trigger, AndTrigger) else "; or ".join(inner)
        )
    raise TypeError(f"There are no words for {type(trigger).__name__}.")


def _limits(trigger: Trigger) -> str:
    text = ""
    # An interval and a calendar always have a start once they are stored: it is their phase, not a limit.
    if trigger.start_at is not None and not isinstance(trigger, IntervalTrigger | CalendarTrigger):
        text += f", from {long_date(trigger.start_at, trigger.timezone)}"
    if trigger.end_at is not None:
        text += f", until {long_date(trigger.end_at, trigger.timezone)}"
    if trigger.jitter_seconds:
        text += f", up to {_amount(trigger.jitter_seconds, 'seconds', one='1 second')} later at random"
    return text


def _amount(number: int | float, unit: str, *, one: str | None = None) -> str:
    """``30 minutes``; one of a unit is just ``minute``."""
    return (one or unit.removesuffix("s")) if number == 1 else f"{number} {unit}"


def _calendar(trigger: CalendarTrigger) -> str:
    units = {"years": trigger.years, "months": trigger.months, "weeks": trigger.weeks, "days": trigger.days}
    given = {name: number for name, number in units.items() if number}
    if len(given) == 1:
        text = "every " + _amount(*next((number, name) for name, number in given.items()))
    else:
        text = "every " + _join([_amount(number, name, one=f"1 {name[:-1]}") for name, number in given.items()])
    if trigger.start_at is not None and "days" not in given:
        local = trigger.start_at.astimezone(trigger.clock.zone)
        if "weeks" not in given:
            month = f" of {MONTHS[local.month - 1]}" if "months" not in given else ""
            text += f" on the {_ordinal(local.day)}{month}"
        elif len(given) == 1:
            text += f" on {WEEKDAYS[(local.weekday() + 1) % 7]}"
    seconds = trigger.at.hour * 3600 + trigger.at.minute * 60 + trigger.at.second
    return f"{text} at {_clock(seconds)}"


def _cron(times: TimesOfDay, days: _DayWords) -> str:
    time = _times(times)
    day = _days(days)
    if not day:
        return time if time.startswith("every") or time.endswith("every hour") else f"{time} every day"
    return f"{day} {time}" if days.either else f"{time} {day}"


# Days


def _days(days: _DayWords) -> str:
    months = f" in {days.months}" if days.months else ""
    if days.of_month and days.weekday:
        if days.either:
            weekday = f"a {days.weekday}" if days.weekday in WEEKDAYS else days.weekday
            text = f"on {days.of_month} or on {weekday}{months} (cron runs when either matches)"
        else:
            text = f"on {days.weekday}{months} if it is {days.of_month} of the month"
    elif days.of_month:
        text = f"on {days.of_month} of {days.months or 'every month'}"
    elif days.weekday:
        text = f"on {days.weekday}{months}"
    else:
        text = f"every day{months}" if days.months or days.more else ""
    return f"{text} {days.more}".strip()


def _crontab_days(crontab: Crontab) -> _DayWords:
    plain = sorted(day for day in crontab.month_days if day > 0)
    of_month = [_ranges(plain, _ordinal)] if plain and len(plain) < 31 else []
    if CronSim.LAST in crontab.month_days:
        of_month.append("last day")
    if CronSim.LAST_WEEKDAY in crontab.month_days:
        of_month.append("last weekday")
    weekdays = {day % 7 for day in crontab.weekdays if isinstance(day, int)}
    weekday = [_weekdays(weekdays)] if weekdays and len(weekdays) < 7 else []
    for item in sorted((item for item in crontab.weekdays if isinstance(item, tuple)), key=str):
        position = "last" if item[1] == CronSim.LAST else _ordinal(item[1])
        weekday.append(f"the {position} {WEEKDAYS[item[0] % 7]} of the month")
    return _DayWords(
        of_month="" if len(plain) == 31 or not of_month else f"the {_join(of_month)}",
        weekday="" if len(weekdays) == 7 else _join(weekday),
        months=_months(crontab.months),
        either=crontab.either_day,
    )


def _field_days(fields: Mapping[str, str]) -> _DayWords:
    of_month: list[str] = []
    weekday: list[str] = []
    for item in re.split(" *, *", fields.get("day", "")):
        position, _, name = item.partition(" ")
        if name.strip() in WEEK:
            weekday.append(f"the {position} {WEEKDAYS[(WEEK.index(name.strip()) + 1) % 7]} of the month")
        elif item == "last":
            of_month.append("last day")
        elif item and item != "*":
            of_month.append(_ranges(_expand(item, range(1, 32)), _ordinal))
    more = []
    if (week := fields.get("week", "*")) != "*":
        more.append(f"in ISO week {_ranges(_expand(week, range(1, 54)))}")
    if (year := fields.get("year", "*")) != "*":
        more.append(f"in {_ranges(_expand(year, range(1970, 2100)))}" if "*" not in year else f"in years {year}")
    day_of_week = fields.get("day_of_week", "*")
    if day_of_week != "*":
        weekday.append(_weekdays({(day + 1) % 7 for day in _expand(day_of_week, range(7), WEEK)}))
    month = fields.get("month", _default_month(fields))
    names = tuple(name[:3].lower() for name in MONTHS)
    return _DayWords(
        of_month=f"the {_join(of_month)}" if of_month else _default_day(fields),
        weekday=" that is also ".join(weekday) if day_of_week != "*" else _join(weekday),
        months=_months(set(_expand(month, range(1, 13), names))),
        more=" ".join(more),
    )


def _default_month(fields: Mapping[str, str]) -> str:
    """APScheduler's default: January if nothing after the year is given."""
    return "1" if set(fields) == {"year"} else "*"


def _default_day(fields: Mapping[str, str]) -> str:
    return "the 1st" if set(fields) <= {"year", "month"} else ""


def _expand(text: str, values: range, names: Sequence[str] = ()) -> list[int]:
    """List the numbers of a field that was checked before: ``*/5``, ``1-5``, ``mon-fri``, ``3,4``."""
    found: set[int] = set()
    for item in re.split(" *, *", text):
        term, _, step = item.partition("/")
        first, _, last = term.partition("-")
        if first == "*":
            found.update(values[:: int(step or 1)])
            continue
        start = names.index(first) + values[0] if first in names else int(first)
        end = names.index(last) + values[0] if last in names else int(last or (values[-1] if step else start))
        found.update(range(start, end + 1, int(step or 1)))
    return sorted(found)


def _months(months: Iterable[int]) -> str:
    chosen = set(months)
    return "" if len(chosen) == 12 else _ranges(_rotate(sorted(chosen), 12), lambda month: MONTHS[month - 1], size=12)


def _weekdays(weekdays: set[int]) -> str:
    """Names of weekdays, 0 being Sunday; a week begins on Monday."""
    from_monday = sorted((day - 1) % 7 for day in weekdays)
    return _ranges(_rotate(from_monday, 7), lambda day: WEEKDAYS[(day + 1) % 7], size=7)


# Times of day


def _times(times: TimesOfDay) -> str:
    if times.size <= MOST_TIMES and times.hours != ALL_HOURS:
        return f"at {_join([_clock(times.ranked(rank)) for rank in range(times.size)])}"
    if times.seconds == (0,):
        return _minutes(times) or f"at minute {_ranges(times.minutes)} of hour {_ranges(times.hours)}"
    if times.minutes == ALL_SIXTY and times.hours == ALL_HOURS:
        if step := _step(times.seconds, 60):
            return f"every {_amount(step, 'seconds')}"
        return f"at second {_ranges(times.seconds)} of every minute"
    seconds = "every second" if times.seconds == ALL_SIXTY else f"second {_ranges(times.seconds)}"
    minutes = "every minute" if times.minutes == ALL_SIXTY else f"minute {_ranges(times.minutes)}"
    hours = "every hour" if times.hours == ALL_HOURS else f"hour {_ranges(times.hours)}"
    return f"at {seconds} of {minutes} of {hours}"


def _minutes(times: TimesOfDay) -> str:
    """Words for regular times on whole minutes; empty if they are not regular."""
    step = _step(times.minutes, 60)
    if times.hours == ALL_HOURS:
        if step:
            return f"every {_amount(step, 'minutes')}"
        if times.minutes == (0,):
            return "every hour"
        return f"at {_ranges(times.minutes)} minute{'' if times.minutes == (1,) else 's'} past every hour"
    rotated = _rotate(times.hours, 24)
    first, last = rotated[0] * 3600 + times.minutes[0] * 60, rotated[-1] * 3600 + times.minutes[-1] * 60
    together = all((hour - rotated[0]) % 24 == index for index, hour in enumerate(rotated))
    if together and step:
        return f"every {_amount(step, 'minutes')} from {_clock(first)} to {_clock(last)}"
    if len(times.minutes) > 1:
        return ""
    if together:
        return f"every hour from {_clock(first)} to {_clock(last)}"
    if step := _step(times.hours, 24):
        return f"every {_amount(step, 'hours')}" + ("" if times.minutes == (0,) else f", first at {_clock(first)}")
    return ""


def _step(values: Sequence[int], size: int) -> int:
    """Return the even distance of values that go all the way round, from 0; 0 if there is none."""
    step = values[1] if len(values) > 1 else 0
    return step if step and size % step == 0 and tuple(values) == tuple(range(0, size, step)) else 0


def _clock(seconds: int) -> str:
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}"
    return f"{text}:{seconds % 60:02}" if seconds % 60 else text


# Lists


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _rotate(values: Sequence[int], size: int) -> list[int]:
    """Begin after the gap, so that 0, 1, 22, 23 of 24 reads 22, 23, 0, 1."""
    if len(values) < 2 or values[0] + size - values[-1] != 1:
        return list(values)
    for index in range(len(values) - 1, 0, -1):
        if values[index] - values[index - 1] > 1:
            return [*values[index:], *values[:index]]
    return list(values)


def _ranges(values: Sequence[int], name: Any = str, *, size: int = 0) -> str:
    """``1, 3 to 5 and 9``, or ``1, 3, … 31``; with a size, the value after the last one is the first one."""
    step = values[1] - values[0] if len(values) > 4 else 1
    if step > 1 and all(later - value == step for value, later in pairwise(values)):
        return f"{name(values[0])}, {name(values[1])}, … {name(values[-1])}"
    runs: list[list[int]] = []
    for value in values:
        follows = runs and (value - runs[-1][-1] == 1 or (size and (value - runs[-1][-1]) % size == 1))
        if follows:
            runs[-1].append(value)
        else:
            runs.append([value])
    parts: list[str] = []
    for run in runs:
        if len(run) > 2:
            parts.append(f"{name(run[0])} to {name(run[-1])}")
        else:
            parts.extend(name(value) for value in run)
    return _join(parts)


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
