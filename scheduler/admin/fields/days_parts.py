"""
Days and times of day without cron: the parts of the form become triggers, and triggers become parts again.

Times that fit one cron expression are one cron trigger. Others are several, combined with ``or``. Every N weeks is a
calendar trigger for each day and time. Taking apart never guesses: parts count only if they make the same trigger
again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

WEEKDAYS = {
    "mon": gettext_lazy("Mon"),
    "tue": gettext_lazy("Tue"),
    "wed": gettext_lazy("Wed"),
    "thu": gettext_lazy("Thu"),
    "fri": gettext_lazy("Fri"),
    "sat": gettext_lazy("Sat"),
    "sun": gettext_lazy("Sun"),
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
"""The names in cron. Django translates them."""

QUARTER_ENDS = "mar,jun,sep,dec"
WORKDAY = "workday"
CHOICES_OF_DAYS = {
    "week": gettext_lazy("Days of the week"),
    "dates": gettext_lazy("Dates of the month"),
    "position": gettext_lazy("A weekday of the month, such as the first Monday"),
    "quarter": gettext_lazy("The last day of each quarter"),
}
POSITIONS = {
    "1": pgettext_lazy("a weekday of the month", "first"),
    "2": pgettext_lazy("a weekday of the month", "second"),
    "3": pgettext_lazy("a weekday of the month", "third"),
    "4": pgettext_lazy("a weekday of the month", "fourth"),
    "5": pgettext_lazy("a weekday of the month", "fifth"),
    "last": pgettext_lazy("a weekday of the month", "last"),
}
OWN = ("on", "weekdays", "weeks", "week_of", "dates", "position", "weekday", "months", "times")
"""The parts of the form."""

_MOST_CHARS = 200
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_DATE = re.compile(r"(\d{1,2})(?:-(\d{1,2}))?")
_WORKDAYS = {"1": "1W", "last": "LW"}


class InPart(ValidationError):
    """A problem of one part of the form."""

    def __init__(self, message: str, *, part: str, code: str = "invalid") -> None:
        super().__init__(message, code=code)
        self.part = part


@dataclass(frozen=True, slots=True, kw_only=True)
class _Days:
    """The last three fields of a cron expression."""

    dates: str = "*"
    months: str = "*"
    weekdays: str = "*"


def put_together(typed: Mapping[str, Any], *, today: date) -> list[dict[str, Any]]:
    """
    Return the triggers that the parts mean, without zone and limits. ``today``: its week is the first by default.

    :raises ValidationError: naming the part
    """
    times = _times(_said(typed, "times"))
    weeks = _weeks(typed)
    if weeks > 1:
        return _every_few_weeks(typed, times, weeks=weeks, today=today)
    days = _days(typed)
    return [
        {"type": "cron", "expression": f"{minutes} {hours} {days.dates} {days.months} {days.weekdays}"}
        for minutes, hours in _grouped(times)
    ]


def _said(typed: Mapping[str, Any], name: str) -> str:
    return str(typed.get(name) or "").strip()


def _times(said: str) -> list[time]:
    found: set[time] = set()
    for text in re.split(r"[\s,;]+", said[:_MOST_CHARS]):
        if not text:
            continue
        if not (match := _TIME.fullmatch(text)):
            raise InPart(_("“%s” is not a time of day. Use the 24-hour clock, such as 14:30.") % text, part="times")
        found.add(time(int(match[1]), int(match[2])))
    if not found:
        raise InPart(_("Enter a time of day such as 14:30, or several: 08:30, 14:30."), part="times", code="required")
    return sorted(found)


def _grouped(times: Collection[time]) -> list[tuple[str, str]]:
    """Return minutes and hours of as few cron expressions as say just these times, the earliest first."""
    hours_of: dict[int, list[int]] = {}
    for at in times:
        hours_of.setdefault(at.minute, []).append(at.hour)
    minutes_of: dict[tuple[int, ...], list[int]] = {}
    for minute, hours in hours_of.items():
        minutes_of.setdefault(tuple(sorted(hours)), []).append(minute)
    groups = sorted((hours[0], min(minutes), sorted(minutes), hours) for hours, minutes in minutes_of.items())
    return [(",".join(map(str, minutes)), ",".join(map(str, hours))) for _hour, _minute, minutes, hours in groups]


def _weeks(typed: Mapping[str, Any]) -> int:
    said = _said(typed, "weeks")
    if not said or _said(typed, "on") not in ("", "week"):
        return 1
    if not said.isdecimal() or not 1 <= int(said) <= 520:
        raise InPart(_("Weeks: “%s” is not a whole number from 1 to 520.") % said[:40], part="weeks")
    return int(said)


def _every_few_weeks(
    typed: Mapping[str, Any], times: Collection[time], *, weeks: int, today: date
) -> list[dict[str, Any]]:
    if _ticked(typed, "months", MONTHS) != "*":
        raise InPart(_("Every few weeks: choose no months, or every week."), part="weeks")
    try:
        first = date.fromisoformat(said) if (said := _said(typed, "week_of")) else today
    except ValueError:
        raise InPart(_("First week: “%s” is not a date.") % said[:40], part="week_of") from None
    monday = first - timedelta(days=first.weekday())
    names = typed.get("weekdays") or list(WEEKDAYS)
    starts = [monday + timedelta(days=number) for number, name in enumerate(WEEKDAYS) if name in names]
    return [
        {"type": "calendar", "weeks": weeks, "at": f"{at:%H:%M}", "start_at": f"{start.isoformat()}T00:00:00"}
        for start in starts
        for at in times
    ]


def _days(typed: Mapping[str, Any]) -> _Days:
    months = _ticked(typed, "months", MONTHS)
    match _said(typed, "on"):
        case "dates":
            return _Days(dates=_dates(_said(typed, "dates")), months=months)
        case "position":
            return _position(_said(typed, "position") or "1", _said(typed, "weekday") or "mon", months)
        case "quarter":
            return _Days(dates="L", months=QUARTER_ENDS)
        case _:
            return _Days(months=months, weekdays=_ticked(typed, "weekdays", WEEKDAYS))


def _position(position: str, weekday: str, months: str) -> _Days:
    if position not in POSITIONS or weekday not in (*WEEKDAYS, WORKDAY):
        raise InPart(_("Choose which weekday of the month."), part="weekday", code="required")
    if weekday != WORKDAY:
        return _Days(weekdays=f"{weekday}L" if position == "last" else f"{weekday}#{position}", months=months)
    if position not in _WORKDAYS:
        raise InPart(_("Of the working days, only the first and the last can be chosen."), part="weekday")
    return _Days(dates=_WORKDAYS[position], months=months)


def _dates(said: str) -> str:
    """Return “1, 15, last” as the day field of a cron expression."""
    found: list[str] = []
    for text in re.split(r"[\s,;]+", said[:_MOST_CHARS].lower()):
        if text in ("last", _last_day()):
            found.append("L")
        elif match := _DATE.fullmatch(text):
            ends = [int(end) for end in match.groups() if end]
            if not all(1 <= end <= 31 for end in ends) or ends != sorted(ends):
                raise InPart(_("“%s” is not a date of a month. Dates are 1 to 31.") % text, part="dates")
            found.append("-".join(map(str, ends)))
        elif text:
            raise InPart(
                _("“%s” is not a date of a month. Write numbers and “last”, such as 1, 15, last.") % text, part="dates"
            )
    if not found:
        raise InPart(_("Enter one or more dates of the month, such as 1, 15, last."), part="dates", code="required")
    return ",".join(sorted(set(found), key=_place))


def _last_day() -> str:
    return pgettext("date of a month", "last")


def _place(item: str) -> tuple[int, str]:
    return (99, item) if item == "L" else (int(item.partition("-")[0]), item)


def _ticked(typed: Mapping[str, Any], part: str, known: Collection[str]) -> str:
    """A field of a cron expression. Ticking none or all means every value."""
    chosen = typed.get(part) or []
    return ",".join(chosen) if 0 < len(chosen) < len(known) else "*"


def taken_apart(parts: Collection[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the parts of the form for triggers without zone and limits. ``None``: the form cannot express them."""
    kinds = {part.get("type") for part in parts}
    try:
        found = _from_crons(parts) if kinds == {"cron"} else _from_calendars(parts) if kinds == {"calendar"} else None
        is_again = found is not None and put_together(found, today=date(1970, 1, 1)) == list(map(dict, parts))
    except (ValidationError, ValueError, TypeError):
        return None
    return found if is_again else None


def _from_crons(parts: Collection[Mapping[str, Any]]) -> dict[str, Any] | None:
    times: set[time] = set()
    days: set[_Days] = set()
    for part in parts:
        fields = str(part.get("expression", "")).split(" ")
        if set(part) != {"type", "expression"} or len(fields) != 5:
            return None
        minutes, hours, dates, months, weekdays = fields
        times |= {time(int(hour), int(minute)) for hour in hours.split(",") for minute in minutes.split(",")}
        days.add(_Days(dates=dates, months=months, weekdays=weekdays))
    if len(days) != 1:
        return None
    return _from_days(days.pop()) | {"times": _listed(times)}


def _from_days(days: _Days) -> dict[str, Any]:
    months = [month for month in MONTHS if month in days.months.split(",")]
    if days.weekdays != "*" and (match := re.fullmatch(r"([a-z]{3})(?:#([1-5])|(L))", days.weekdays)):
        return {"on": "position", "weekday": match[1], "position": match[2] or "last", "months": months}
    if days.dates in _WORKDAYS.values():
        position = next(position for position, text in _WORKDAYS.items() if text == days.dates)
        return {"on": "position", "weekday": WORKDAY, "position": position, "months": months}
    if (days.dates, days.months) == ("L", QUARTER_ENDS):
        return {"on": "quarter"}
    if days.dates != "*":
        return {"on": "dates", "dates": days.dates.replace("L", _last_day()).replace(",", ", "), "months": months}
    weekdays = [day for day in WEEKDAYS if day in days.weekdays.split(",")]
    return {"on": "week", "weekdays": weekdays, "months": months}


def _from_calendars(parts: Collection[Mapping[str, Any]]) -> dict[str, Any] | None:
    if any(set(part) != {"type", "weeks", "at", "start_at"} for part in parts):
        return None
    starts = [datetime.fromisoformat(part["start_at"]).date() for part in parts]
    mondays = {start - timedelta(days=start.weekday()) for start in starts}
    weeks = {part["weeks"] for part in parts}
    if len(mondays) != 1 or len(weeks) != 1:
        return None
    names = list(WEEKDAYS)
    return {
        "on": "week",
        "weekdays": [name for number, name in enumerate(names) if number in {start.weekday() for start in starts}],
        "weeks": str(weeks.pop()),
        "week_of": mondays.pop().isoformat(),
        "times": _listed({time.fromisoformat(part["at"]) for part in parts}),
    }


def _listed(times: Collection[time]) -> str:
    return ", ".join(f"{at:%H:%M}" for at in sorted(times))
