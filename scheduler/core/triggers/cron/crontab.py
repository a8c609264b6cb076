"""
Cron expressions: five fields, or six with the seconds first, as crontab(5) has them.

The rewriting here adds what cronsim does not read (nicknames, ranges that wrap such as ``22-2`` or ``fri-mon``, ``?``)
and explains errors. cronsim parses the values of fields and matches days. ``wall_time`` handles clock changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from typing import cast

from cronsim import CronSim, CronSimError

from scheduler.core.triggers import error_messages
from scheduler.core.triggers.cron.crontab_fields import FIELDS, POINTER, WEEKDAY, month_name, refused, rewrite
from scheduler.core.triggers.cron.special_days import SpecialDay
from scheduler.core.triggers.wall_time import Days, MatchingDays, TimesOfDay, day_number
from scheduler.core.triggers.zones import zone_named
from scheduler.errors import InvalidTrigger, NeverFires
from scheduler.messages import phrase_in, row

LONGEST = 100

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crontab:
    """A cron expression that was understood."""

    text: str
    """As it was written, with single spaces."""

    parts: tuple[str, str, str, str, str, str]
    """Second to day of week, in capitals, as cronsim reads them."""

    times: TimesOfDay
    days: Days
    months: frozenset[int]
    month_days: frozenset[int]
    """Negative values stand for the last day and the last weekday of the month."""

    special_days: tuple[SpecialDay, ...]
    """``15W`` and ``L-2``."""

    weekdays: frozenset[int | tuple[int, int]]
    either_day: bool
    """Day of month *or* day of week. Otherwise both must match."""

    @property
    def follows_clock(self) -> bool:
        """As Debian's cron: a wildcard in the minute or the hour."""
        return self.parts[1].startswith("*") or self.parts[2].startswith("*")


def parse_expression(expression: object) -> Crontab:
    """
    :raises InvalidTrigger: it is not a cron expression
    :raises NeverFires: no day matches
    """
    if not isinstance(expression, str):
        raise refused(error_messages.CRON_IS_TEXT(), "wrong_type")
    if len(expression) > LONGEST:
        raise refused(
            error_messages.CRON_TOO_LONG(
                most=LONGEST,
                number=len(expression),
            ),
            "too_long",
        )
    return _parsed(" ".join(expression.split()))


@lru_cache(maxsize=8192)
def _parsed(text: str) -> Crontab:
    """Compile an expression with single spaces. Many jobs share one, and saving a job reads it several times."""
    words = text.split()
    _refuse_zone(words)
    if text.startswith("@"):
        words = _expand_nickname(text).split()
    if len(words) not in (5, 6):
        raise _wrong_number(text, len(words))
    if len(words) == 5:
        words.insert(0, "0")
    parts = tuple(rewrite(word.upper(), field, word) for word, field in zip(words, FIELDS, strict=True))
    return _compile(text, cast("tuple[str, str, str, str, str, str]", parts))


def _refuse_zone(words: list[str]) -> None:
    """:raises InvalidTrigger: a zone stands where cronie or a cloud wants it: here it is a field of its own"""
    first, is_setting, zone = words[0].partition("=") if words else ("", "", "")
    rest = words[1:]
    if not (is_setting and first.upper() in ("CRON_TZ", "TZ")):
        zone, rest = (words[-1], words[:-1]) if len(words) > 5 and _is_zone(words[-1]) else ("", words)
    if zone:
        raise refused(error_messages.ZONE_IN_CRON(zone=zone[:64], expression=" ".join(rest)), "timezone_in_expression")


def _is_zone(word: str) -> bool:
    try:
        zone_named(word)
    except LookupError:
        return False
    return word.upper() not in WEEKDAY.names


def _compile(text: str, parts: tuple[str, str, str, str, str, str]) -> Crontab:
    found = [(item, SpecialDay.read(item)) for item in parts[3].split(",")]
    special = tuple(day for _, day in found if day is not None)
    plain = ",".join(item for item, day in found if day is None)
    # Without a plain day of the month cronsim judges the weekdays alone.
    read = (*parts[:3], plain or "*", *parts[4:])
    try:
        rule = CronSim(" ".join(read), datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError:
        # Every field was checked before, so what is left is cronsim's test for days that no month has.
        raise _never(parts) from None
    months = frozenset(rule.months)
    accepts = _accepts(parts, plain, special) if special else partial(CronSim.match_day, rule)
    days = MatchingDays(accepts=accepts, months=months)
    if days.at_or_after(day_number(datetime(2000, 1, 1, tzinfo=UTC).date())) is None:
        raise _never(parts)
    return Crontab(
        text=text,
        parts=parts,
        times=TimesOfDay(
            hours=tuple(sorted(rule.hours)), minutes=tuple(sorted(rule.minutes)), seconds=tuple(sorted(rule.seconds))
        ),
        days=days,
        months=months,
        month_days=frozenset(rule.days) if plain else frozenset(),
        special_days=special,
        weekdays=frozenset(rule.weekdays),
        either_day=not parts[5].startswith("*") if special else not rule.day_and,
    )


def _accepts(parts: tuple[str, ...], plain: str, special: tuple[SpecialDay, ...]) -> Callable[[date], bool]:
    """Return whether a day matches: days of the month, special ones among them, and weekdays as crontab joins them."""
    start = datetime(2000, 1, 1, tzinfo=UTC)
    weekdays = CronSim(f"0 0 * * {parts[5]}", start)
    days = CronSim(f"0 0 {plain} * *", start) if plain else None
    both = parts[5].startswith("*")

    def accepts(day: date) -> bool:
        in_month = any(each.matches(day) for each in special) or (days is not None and days.match_day(day))
        return (in_month and weekdays.match_day(day)) if both else (in_month or weekdays.match_day(day))

    return accepts


def _expand_nickname(text: str) -> str:
    expanded = NICKNAMES.get(text.lower())
    if expanded is None:
        if text.lower() == "@reboot":
            problem = error_messages.NO_BOOT(
                text=text,
            )
        else:
            problem = error_messages.UNSUPPORTED_SHORTHAND(text=text)
        raise refused(problem, "unknown_nickname")
    return expanded


def _wrong_number(text: str, number: int) -> InvalidTrigger:
    if not number:
        return refused(
            error_messages.CRON_IS_EMPTY(),
            "wrong_number_of_fields",
        )
    return refused(
        error_messages.CRON_PARTS(
            number=number,
            text=text,
        ),
        "wrong_number_of_fields",
    )


def _never(parts: tuple[str, ...]) -> NeverFires:
    days = sorted({int(day) for day in re.findall(r"\d+", parts[3])})
    months = sorted({int(month) for month in re.findall(r"\d+", parts[4])})
    plain = all(re.fullmatch(r"[\d,]+", part) for part in parts[3:5])
    if plain and parts[5] == "*" and min(days) > max(LONGEST_MONTH[month - 1] for month in months):
        which = row(phrase_in("between two days", " and "), [str(day) for day in days])
        names = row(phrase_in("between two months", " or "), [month_name(month) for month in months])
        return NeverFires(
            error_messages.DATE_DOES_NOT_EXIST(
                number=len(days) * len(months),
                days=which,
                months=names,
            ),
            pointer=POINTER,
        )
    return NeverFires(error_messages.NO_DATE_MATCHES(), pointer=POINTER)
