"""Triggers in words, from what the parser understood: never a sentence about what cannot happen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cronsim import CronSim

from scheduler.core.triggers.calendar_intervals import CalendarTrigger
from scheduler.core.triggers.calendared import CalendaredTrigger, Otherwise
from scheduler.core.triggers.combinations import AndTrigger, Combination, OrTrigger
from scheduler.core.triggers.crons import CronTrigger, FieldsTrigger
from scheduler.core.triggers.crontab import MONTHS, Crontab, month_name
from scheduler.core.triggers.dates import DateTrigger
from scheduler.core.triggers.description.lists import begins_with_a_range, join, ranges, rotate
from scheduler.core.triggers.description.times_of_day import MOST_TIMES, say_at, say_times, so_many
from scheduler.core.triggers.intervals import IntervalTrigger
from scheduler.core.triggers.reading import parse
from scheduler.core.triggers.special_days import SpecialDay
from scheduler.core.triggers.trigger import Trigger, long_date
from scheduler.messages import message_in, messages, phrase, phrase_in, phrase_of, row

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# Other languages say “every Monday” and “from Monday to Friday” with different words for Monday, and have their own
# ways to count: each use has a context of its own.
_EACH_WEEKDAY = (
    message_in("each weekday", "Sunday"),
    message_in("each weekday", "Monday"),
    message_in("each weekday", "Tuesday"),
    message_in("each weekday", "Wednesday"),
    message_in("each weekday", "Thursday"),
    message_in("each weekday", "Friday"),
    message_in("each weekday", "Saturday"),
)
_WEEKDAY = (
    message_in("weekday", "Sunday"),
    message_in("weekday", "Monday"),
    message_in("weekday", "Tuesday"),
    message_in("weekday", "Wednesday"),
    message_in("weekday", "Thursday"),
    message_in("weekday", "Friday"),
    message_in("weekday", "Saturday"),
)
_POSITIONS = {
    "1st": message_in("weekday of the month", "first"),
    "2nd": message_in("weekday of the month", "second"),
    "3rd": message_in("weekday of the month", "third"),
    "4th": message_in("weekday of the month", "fourth"),
    "5th": message_in("weekday of the month", "fifth"),
    "last": message_in("weekday of the month", "last"),
}
_ORDINALS = {
    "st": message_in("day of the month", "{number}st"),
    "nd": message_in("day of the month", "{number}nd"),
    "rd": message_in("day of the month", "{number}rd"),
    "th": message_in("day of the month", "{number}th"),
}
_COUNTED = {
    "seconds": messages("1 second", "{number} seconds"),
    "days": messages("1 day", "{number} days"),
    "weeks": messages("1 week", "{number} weeks"),
    "months": messages("1 month", "{number} months"),
    "years": messages("1 year", "{number} years"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _DayWords:
    """The days of a cron as texts, empty for open fields."""

    of_month: str = ""
    """``the 1st and 15th`` or ``the last day``."""

    weekday: str = ""
    """``Monday to Friday`` or ``the second Sunday of the month``."""

    is_every_week: bool = False
    """The weekdays are those of each week, not of a month."""

    only_weekday: int | None = None
    """If there is just one, 0 being Sunday."""

    months: str = ""
    in_months: str = ""
    """``in January and July``."""

    either: bool = False
    more: str = ""
    is_often_missing: bool = False
    """The only day is one that some months have not: the 29th, 30th or 31st."""


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
        return phrase("every {interval}", interval=so_many(number, name))
    if isinstance(trigger, CalendarTrigger):
        return row(", ", [_calendar(trigger), zone])
    if isinstance(trigger, CronTrigger):
        crontab = trigger.crontab
        return row(", ", [_cron(say_times(crontab.times), _crontab_days(crontab)), zone])
    if isinstance(trigger, FieldsTrigger):
        return row(", ", [_cron(say_times(trigger.clock.times), _field_days(dict(trigger.fields))), zone])
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
        days = {_crontab_days(cron.crontab) for cron in crons}
        return _cron(say_at(times), days.pop()) if len(days) == 1 and len(times) <= MOST_TIMES else ""
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
    interval = so_many(parts[0].weeks, "weeks")
    weekdays = join([phrase_in(*_WEEKDAY[(day.weekday() + 1) % 7]) for day in sorted(days)])
    at = say_at(sorted(at.hour * 3600 + at.minute * 60 + at.second for at in times))
    return phrase("every {interval} on {weekday} {at}", interval=interval, weekday=weekdays, at=at)


def _limits(trigger: Trigger) -> list[str]:
    said: list[str] = []
    # An interval and a calendar always have a start once they are stored: it is their phase, not a limit.
    if trigger.start_at is not None and not isinstance(trigger, IntervalTrigger | CalendarTrigger):
        said.append(phrase("from {date}", date=long_date(trigger.start_at, trigger.timezone)))
    if trigger.end_at is not None:
        said.append(phrase("until {date}", date=long_date(trigger.end_at, trigger.timezone)))
    if trigger.jitter_seconds:
        amount = phrase_of(*_COUNTED["seconds"], number=trigger.jitter_seconds)
        said.append(phrase("up to {amount} later at random", amount=amount))
    return said


def _calendar(trigger: CalendarTrigger) -> str:
    units = {"years": trigger.years, "months": trigger.months, "weeks": trigger.weeks, "days": trigger.days}
    given = {name: number for name, number in units.items() if number}
    interval = (
        so_many(*next((number, name) for name, number in given.items()))
        if len(given) == 1
        else join([phrase_of(*_COUNTED[name], number=number) for name, number in given.items()])
    )
    at = say_at([trigger.at.hour * 3600 + trigger.at.minute * 60 + trigger.at.second])
    if trigger.start_at is not None and "days" not in given:
        local = trigger.start_at.astimezone(trigger.clock.zone)
        day = _ordinal(local.day)
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
            weekday = phrase_in(*_WEEKDAY[(local.weekday() + 1) % 7])
            return phrase("every {interval} on {weekday} {at}", interval=interval, weekday=weekday, at=at)
    return phrase("every {interval} {at}", interval=interval, at=at)


def _cron(time: str, days: _DayWords) -> str:
    day = _days(days)
    if not day:
        is_whole = time.startswith("every") or time.endswith("every hour")
        return time if is_whole else phrase("{time} every day", time=time)
    if days.either:
        return row(" ", [day, time])
    return phrase_in("when on the days, and on which days", "{time} {day}", time=time, day=day)


# Days


def _days(days: _DayWords) -> str:
    if days.of_month and days.weekday:
        text = _both_days(days)
    elif days.of_month:
        every = phrase("every month that has it") if days.is_often_missing else phrase("every month")
        months = days.months or every
        text = phrase("on {days} of {months}", days=days.of_month, months=months)
    elif days.weekday:
        text = _with_months(_weekdays_alone(days), days)
    else:
        text = _with_months(phrase("every day"), days) if days.months or days.more else ""
    return row(" ", [part for part in (text, days.more) if part])


def _weekdays_alone(days: _DayWords) -> str:
    if not days.is_every_week:
        return phrase("on {weekday}", weekday=days.weekday)
    is_range = begins_with_a_range(days.weekday)
    return days.weekday if is_range else phrase("every {weekday}", weekday=days.weekday)


def _both_days(days: _DayWords) -> str:
    if days.either:
        weekday = days.weekday
        if days.only_weekday is not None:
            weekday = phrase("a {weekday}", weekday=phrase_in(*_WEEKDAY[days.only_weekday]))
        months = row("", [" ", days.in_months]) if days.months else ""
        return phrase(
            "on {days} or on {weekday}{months} (cron runs when either matches)",
            days=days.of_month,
            weekday=weekday,
            months=months,
        )
    weekday = _with_months(phrase("on {weekday}", weekday=days.weekday), days)
    return phrase("{weekdays} if it is {days} of the month", weekdays=weekday, days=days.of_month)


def _with_months(text: str, days: _DayWords) -> str:
    return row(" ", [text, days.in_months]) if days.months else text


def _crontab_days(crontab: Crontab) -> _DayWords:
    plain = sorted(day for day in crontab.month_days if day > 0)
    is_mixed = crontab.special_days or min(crontab.month_days, default=0) < 0
    of_month = [] if not plain or len(plain) == 31 else [_month_days(plain)]
    if is_mixed and 1 < len(plain) <= MOST_TIMES:
        of_month = [_ordinal(day) for day in plain]
    of_month += [_special_day(day) for day in crontab.special_days]
    if CronSim.LAST in crontab.month_days:
        of_month.append(phrase_in("day of the month", "last day"))
    if CronSim.LAST_WEEKDAY in crontab.month_days:
        of_month.append(phrase_in("day of the month", "last weekday"))
    weekdays = {day % 7 for day in crontab.weekdays if isinstance(day, int)}
    weekday = [_weekdays(weekdays)] if weekdays and len(weekdays) < 7 else []
    weekday += [
        _weekday_of_month("last" if position == CronSim.LAST else f"{position}", day % 7)
        for day, position in sorted((item for item in crontab.weekdays if isinstance(item, tuple)), key=str)
    ]
    months = _months(crontab.months)
    return _DayWords(
        of_month="" if len(plain) == 31 or not of_month else phrase("the {days}", days=join(of_month)),
        weekday="" if len(weekdays) == 7 else join(weekday),
        is_every_week=bool(weekdays) and len(weekday) == 1,
        only_weekday=next(iter(weekdays)) if len(weekdays) == len(weekday) == 1 else None,
        months=months,
        in_months=_in_months(months),
        either=crontab.either_day,
        is_often_missing=len(plain) == len(of_month) == 1 and plain[0] > 28,
    )


def _special_day(day: SpecialDay) -> str:
    if day == SpecialDay(number=1, is_before_last=False):
        return phrase_in("day of the month", "first weekday")
    if not day.is_before_last:
        return phrase("weekday nearest to the {day}", day=_ordinal(day.number))
    days = phrase_of(*_COUNTED["days"], number=day.number)
    return phrase("day that is {days} before the last", days=days)


def _field_days(fields: Mapping[str, str]) -> _DayWords:
    of_month: list[str] = []
    weekday: list[str] = []
    for item in re.split(" *, *", fields.get("day", "")):
        position, _, name = item.partition(" ")
        if name.strip() in WEEK:
            weekday.append(_weekday_of_month(position, (WEEK.index(name.strip()) + 1) % 7))
        elif item == "last":
            of_month.append(phrase_in("day of the month", "last day"))
        elif item and item != "*":
            of_month.append(_month_days(_expand(item, range(1, 32))))
    more: list[str] = []
    if (week := fields.get("week", "*")) != "*":
        more.append(phrase("in ISO week {weeks}", weeks=ranges(_expand(week, range(1, 54)))))
    if (year := fields.get("year", "*")) != "*":
        if "*" in year:
            more.append(phrase("in years {years}", years=year))
        else:
            more.append(phrase_in("years", "in {years}", years=ranges(_expand(year, range(1970, 2100)))))
    days_of_week: set[int] = set()
    if (day_of_week := fields.get("day_of_week", "*")) != "*":
        days_of_week = {(day + 1) % 7 for day in _expand(day_of_week, range(7), WEEK)}
        weekday.append(_weekdays(days_of_week))
    months = _months(set(_expand(fields.get("month", _default_month(fields)), range(1, 13), _MONTH_KEYS)))
    return _DayWords(
        of_month=phrase("the {days}", days=join(of_month)) if of_month else _default_day(fields),
        weekday=_that_is_also(weekday) if days_of_week else join(weekday),
        is_every_week=bool(days_of_week) and len(weekday) == 1,
        months=months,
        in_months=_in_months(months),
        more=row(" ", more),
    )


_MONTH_KEYS = tuple(name[:3].lower() for name in MONTHS)


def _default_month(fields: Mapping[str, str]) -> str:
    """APScheduler's default: January if only the year is given."""
    return "1" if set(fields) == {"year"} else "*"


def _default_day(fields: Mapping[str, str]) -> str:
    return phrase("the {days}", days=_month_days([1])) if set(fields) <= {"year", "month"} else ""


def _that_is_also(weekdays: Sequence[str]) -> str:
    said = weekdays[0]
    for other in weekdays[1:]:
        said = phrase("{weekday} that is also {other}", weekday=said, other=other)
    return said


def _weekday_of_month(position: str, weekday: int) -> str:
    """``the second Sunday of the month``, 0 being Sunday."""
    known = _POSITIONS.get(position) or _POSITIONS[f"{position}{_ending(int(position))}"]
    name = phrase_in(*_WEEKDAY[weekday])
    return phrase("the {position} {weekday} of the month", position=phrase_in(*known), weekday=name)


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
    return "" if len(chosen) == 12 else ranges(rotate(sorted(chosen), 12), month_name, size=12)


def _in_months(months: str) -> str:
    if begins_with_a_range(months):
        return phrase_in("months, the first ones being a range", "in {months}", months=months)
    return phrase_in("months", "in {months}", months=months)


def _month_days(days: Sequence[int]) -> str:
    """``1st and 15th``."""
    said = ranges(days, _ordinal, to=message_in("day of the month", "{first} to {last}"))
    if len(days) == 1:
        return phrase_in("one day of the month", "{days}", days=said)
    return phrase_in("several days of the month", "{days}", days=said)


def _weekdays(weekdays: set[int]) -> str:
    """Names of weekdays, 0 being Sunday. A week begins on Monday."""
    order = rotate(sorted((day - 1) % 7 for day in weekdays), 7)
    said = ranges(
        order,
        lambda day: phrase_in(*_EACH_WEEKDAY[(day + 1) % 7]),
        within=lambda day: phrase_in(*_WEEKDAY[(day + 1) % 7]),
        size=7,
    )
    if begins_with_a_range(said):
        return phrase_in("weekdays, the first ones being a range", "{days}", days=said)
    return phrase_in("weekdays", "{days}", days=said)


def _ordinal(number: int) -> str:
    return phrase_in(*_ORDINALS[_ending(number)], number=number)


def _ending(number: int) -> str:
    return "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
