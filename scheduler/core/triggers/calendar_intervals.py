"""Calendar triggers: every so many days, weeks, months or years at a time of day."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any, Self

from scheduler.core.triggers.trigger import WallClockTrigger
from scheduler.core.triggers.wall_time import Days, TimesOfDay, WallClock, date_of, day_number
from scheduler.core.triggers.zones import resolve, zone_named

CHAIN_YEARS = 200
"""The limit of a chain of months from its anchor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryFewDays(Days):
    """The anchor and every ``step`` days after it."""

    anchor: int
    step: int

    def at_or_after(self, day: int) -> int | None:
        return self.anchor if day <= self.anchor else day + (self.anchor - day) % self.step

    def at_or_before(self, day: int) -> int | None:
        return None if day < self.anchor else day - (day - self.anchor) % self.step

    def count(self, first: int, last: int) -> int:
        first = max(first, self.anchor)
        return max(0, (last - self.anchor) // self.step - (first - 1 - self.anchor) // self.step)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDays(Days):
    """Days known one by one, in order."""

    listed: tuple[int, ...]

    def at_or_after(self, day: int) -> int | None:
        at = bisect_left(self.listed, day)
        return self.listed[at] if at < len(self.listed) else None

    def at_or_before(self, day: int) -> int | None:
        at = bisect_right(self.listed, day)
        return self.listed[at - 1] if at else None

    def count(self, first: int, last: int) -> int:
        return max(0, bisect_right(self.listed, last) - bisect_left(self.listed, first))


@lru_cache(maxsize=512)
def chain_of_months(anchor: date, months: int, days: int) -> ListedDays:
    """
    Follow a chain: add the months until that day exists, then the days.

    A month without the day is left out: from 31 January on, every month, comes 31 March.
    As APScheduler 3.11, ``CalendarIntervalTrigger.get_next_fire_time``.
    """
    listed = [day_number(anchor)]
    day = anchor
    last_year = min(max(anchor.year, 1970) + CHAIN_YEARS, 9998)
    month = anchor.year * 12 + anchor.month - 1
    while (month := month + months) // 12 <= last_year:
        try:
            day = day.replace(year=month // 12, month=month % 12 + 1)
        except ValueError:
            continue
        number = day_number(day) + days
        day = date_of(number)
        month = day.year * 12 + day.month - 1
        listed.append(number)
    return ListedDays(listed=tuple(listed))


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarTrigger(WallClockTrigger):
    """
    Fires at ``at`` on the date of ``start_at`` and every so many years, months, weeks and days from there.

    Without ``start_at`` it goes on from the date of whatever fire time it is asked about. Clock changes are dealt
    with as for a fixed time of a cron.
    """

    years: int = 0
    months: int = 0
    weeks: int = 0
    days: int = 0
    at: time = time(0, 0)

    def starting(self, day: date, *, start_at: datetime, start_wall: datetime | None) -> Self:
        """Return the trigger with its days counted from this one."""
        clock = replace(self.clock, days=self._days(day))
        return replace(self, start_at=start_at, start_wall=start_wall, clock=clock)

    def _days(self, anchor: date) -> Days:
        months = self.years * 12 + self.months
        days = self.weeks * 7 + self.days
        if months:
            return chain_of_months(anchor, months, days)
        return EveryFewDays(anchor=day_number(anchor), step=days)

    def at_or_after(self, moment: datetime) -> datetime | None:
        return WallClockTrigger.at_or_after(self.anchored(moment), moment)

    def at_or_before(self, moment: datetime) -> datetime | None:
        return WallClockTrigger.at_or_before(self.anchored(moment), moment)

    def count_after(self, after: datetime, *, until: datetime) -> int:
        return WallClockTrigger.count_after(self.anchored(after), after, until=until)

    def settled(self, *, now: datetime) -> Self:
        if self.start_at is not None:
            return self
        zone = zone_named(self.timezone)
        midnight = datetime.combine(now.astimezone(zone).date(), time())
        return self.starting(midnight.date(), start_at=resolve(midnight, zone), start_wall=midnight)

    def anchored(self, first: datetime) -> Self:
        if self.start_at is not None:
            return self
        day = first.astimezone(zone_named(self.timezone)).date()
        return self.starting(day, start_at=first, start_wall=None)

    def as_json(self) -> dict[str, Any]:
        units = {"years": self.years, "months": self.months, "weeks": self.weeks, "days": self.days}
        return {
            "type": "calendar",
            **{name: number for name, number in units.items() if number},
            "at": f"{self.at:%H:%M:%S}" if self.at.second else f"{self.at:%H:%M}",
            **self._bounds_as_json(),
        }


def calendar_trigger(
    *, at: time, timezone: str, start_at: datetime | None, start_wall: datetime | None, **rest: Any
) -> CalendarTrigger:
    """Return a calendar trigger. Without ``start_at`` its clock knows the time of day, but no date yet."""
    clock = WallClock(
        days=ListedDays(listed=()),
        times=TimesOfDay(hours=(at.hour,), minutes=(at.minute,), seconds=(at.second,)),
        zone=zone_named(timezone),
        follows_clock=False,
    )
    trigger = CalendarTrigger(at=at, timezone=timezone, clock=clock, **rest)
    if start_at is None:
        return trigger
    day = (start_wall or start_at.astimezone(zone_named(timezone))).date()
    return trigger.starting(day, start_at=start_at, start_wall=start_wall)
