"""The days of a cron in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cronsim import CronSim

from scheduler.core.triggers.cron.crontab import Crontab
from scheduler.core.triggers.cron.crontab_fields import MONTHS, month_name
from scheduler.core.triggers.cron.special_days import SpecialDay
from scheduler.core.triggers.description.lists import begins_with_a_range, join, ranges, rotate
from scheduler.core.triggers.description.times_of_day import MOST_TIMES
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
WEEKDAY = (
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
COUNTED = {
    "seconds": messages("1 second", "{number} seconds"),
    "days": messages("1 day", "{number} days"),
    "weeks": messages("1 week", "{number} weeks"),
    "months": messages("1 month", "{number} months"),
    "years": messages("1 year", "{number} years"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DayWords:
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


def in_words(days: DayWords) -> str:
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


def _weekdays_alone(days: DayWords) -> str:
    if not days.is_every_week:
        return phrase("on {weekday}", weekday=days.weekday)
    is_range = begins_with_a_range(days.weekday)
    return days.weekday if is_range else phrase("every {weekday}", weekday=days.weekday)


def _both_days(days: DayWords) -> str:
    if days.either:
        weekday = days.weekday
        if days.only_weekday is not None:
            weekday = phrase("a {weekday}", weekday=phrase_in(*WEEKDAY[days.only_weekday]))
        months = row("", [" ", days.in_months]) if days.months else ""
        return phrase(
            "on {days} or on {weekday}{months} (cron runs when either matches)",
            days=days.of_month,
            weekday=weekday,
            months=months,
        )
    weekday = _with_months(phrase("on {weekday}", weekday=days.weekday), days)
    return phrase("{weekdays} if it is {days} of the month", weekdays=weekday, days=days.of_month)


def _with_months(text: str, days: DayWords) -> str:
    return row(" ", [text, days.in_months]) if days.months else text


def days_of_crontab(crontab: Crontab) -> DayWords:
    plain = sorted(day for day in crontab.month_days if day > 0)
    is_mixed = crontab.special_days or min(crontab.month_days, default=0) < 0
    of_month = [] if not plain or len(plain) == 31 else [_month_days(plain)]
    if is_mixed and 1 < len(plain) <= MOST_TIMES:
        of_month = [ordinal(day) for day in plain]
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
    return DayWords(
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
        return phrase("weekday nearest to the {day}", day=ordinal(day.number))
    days = phrase_of(*COUNTED["days"], number=day.number)
    return phrase("day that is {days} before the last", days=days)


def days_of_fields(fields: Mapping[str, str]) -> DayWords:
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
    return DayWords(
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
    name = phrase_in(*WEEKDAY[weekday])
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
    said = ranges(days, ordinal, to=message_in("day of the month", "{first} to {last}"))
    if len(days) == 1:
        return phrase_in("one day of the month", "{days}", days=said)
    return phrase_in("several days of the month", "{days}", days=said)


def _weekdays(weekdays: set[int]) -> str:
    """Names of weekdays, 0 being Sunday. A week begins on Monday."""
    order = rotate(sorted((day - 1) % 7 for day in weekdays), 7)
    said = ranges(
        order,
        lambda day: phrase_in(*_EACH_WEEKDAY[(day + 1) % 7]),
        within=lambda day: phrase_in(*WEEKDAY[(day + 1) % 7]),
        size=7,
    )
    if begins_with_a_range(said):
        return phrase_in("weekdays, the first ones being a range", "{days}", days=said)
    return phrase_in("weekdays", "{days}", days=said)


def ordinal(number: int) -> str:
    return phrase_in(*_ORDINALS[_ending(number)], number=number)


def _ending(number: int) -> str:
    return "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
