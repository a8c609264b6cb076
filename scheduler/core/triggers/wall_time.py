"""
Fire times on a wall clock: days, times of day, and clock changes.

Everything is arithmetic on whole seconds. A *wall* time counts the seconds since 1970 that a local clock shows, an
*instant* those of UTC. A day is its number since 1970. The arithmetic never walks from one fire time to the next, so a
year of downtime costs what a minute does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, tzinfo

from scheduler.core.triggers import budget
from scheduler.core.triggers.zones import DAY_SECONDS, FIRST_INSTANT, LAST_INSTANT, Stretch, stretch_at

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
HORIZON_DAYS = 366 * 50
"""The search limit for the next day. 29 February on a given weekday comes at least every 40 years."""

MONTHS_KEPT = 640
"""As many as are looked at for one search."""

_MONTH_STEPS = 4


def day_number(day: date) -> int:
    return day.toordinal() - EPOCH_ORDINAL


def date_of(day: int) -> date:
    return date.fromordinal(day + EPOCH_ORDINAL)


class Days(ABC):
    """Which days: by their number since 1970."""

    __slots__ = ()

    @abstractmethod
    def at_or_after(self, day: int) -> int | None:
        """Return the first of them from ``day`` on. ``None``: beyond the search limit."""

    @abstractmethod
    def at_or_before(self, day: int) -> int | None:
        """Return the last of them up to ``day``."""

    @abstractmethod
    def count(self, first: int, last: int) -> int:
        """Return how many there are from ``first`` to ``last``, both included."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatchingDays(Days):
    """The days of a calendar that a rule accepts, looked up a month at a time."""

    accepts: Callable[[date], bool]
    months: frozenset[int] = frozenset(range(1, 13))
    years: frozenset[int] | None = None
    """``None``: every year."""

    _kept: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict, init=False, repr=False)

    def of_month(self, year: int, month: int) -> tuple[int, ...]:
        if month not in self.months or (self.years is not None and year not in self.years):
            return ()
        budget.spend(_MONTH_STEPS)
        kept = self._kept.get((year, month))
        if kept is None:
            first = date(year, month, 1)
            number = day_number(first)
            length = monthrange(year, month)[1]
            kept = tuple(number + day for day in range(length) if self.accepts(first.replace(day=day + 1)))
            if len(self._kept) >= MONTHS_KEPT:
                self._kept.clear()
            self._kept[year, month] = kept
        return kept

    def at_or_after(self, day: int) -> int | None:
        start = date_of(day)
        year, month = start.year, start.month
        for _ in range(HORIZON_DAYS // 30):
            if self.years is not None and year not in self.years:
                year, month = min((later for later in self.years if later > year), default=10_000), 1
            if year > 9999:
                break
            days = self.of_month(year, month)
            if days and days[-1] >= day:
                return days[bisect_left(days, day)]
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        return None

    def at_or_before(self, day: int) -> int | None:
        end = date_of(day)
        year, month = end.year, end.month
        for _ in range(HORIZON_DAYS // 30):
            if self.years is not None and year not in self.years:
                year, month = max((earlier for earlier in self.years if earlier < year), default=0), 12
            if year < 1:
                break
            days = self.of_month(year, month)
            if days and days[0] <= day:
                return days[bisect_right(days, day) - 1]
            year, month = (year, month - 1) if month > 1 else (year - 1, 12)
        return None

    def count(self, first: int, last: int) -> int:
        if first > last:
            return 0
        start, end = date_of(first), date_of(last)
        total = 0
        for index in range(start.year * 12 + start.month - 1, end.year * 12 + end.month):
            days = self.of_month(index // 12, index % 12 + 1)
            total += bisect_right(days, last) - bisect_left(days, first)
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class TimesOfDay:
    """Every combination of these hours, minutes and seconds, each sorted. A time is its second of the day."""

    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...] = (0,)

    @property
    def size(self) -> int:
        return len(self.hours) * len(self.minutes) * len(self.seconds)

    def rank(self, second: int) -> int:
        """Return how many of the times are earlier than ``second``."""
        hour, rest = divmod(second, 3600)
        minute, second = divmod(rest, 60)
        per_minute = len(self.seconds)
        at = bisect_left(self.hours, hour)
        rank = at * len(self.minutes) * per_minute
        if at < len(self.hours) and self.hours[at] == hour:
            at = bisect_left(self.minutes, minute)
            rank += at * per_minute
            if at < len(self.minutes) and self.minutes[at] == minute:
                rank += bisect_left(self.seconds, second)
        return rank

    def ranked(self, rank: int) -> int:
        rest, second = divmod(rank, len(self.seconds))
        hour, minute = divmod(rest, len(self.minutes))
        return self.hours[hour] * 3600 + self.minutes[minute] * 60 + self.seconds[second]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WallClock:
    """Days and times of day in a zone, as instants."""

    days: Days
    times: TimesOfDay
    zone: tzinfo
    follows_clock: bool
    """
    The effect of clock changes. True (an hour or minute is a wildcard): it fires whenever the clock shows such a time,
    twice in a repeated hour and never in one that is left out. False (a fixed time): once in both cases, right after
    the gap.
    """

    def at_or_after(self, instant: int) -> int | None:
        """Return the first fire time from ``instant`` on."""
        while FIRST_INSTANT <= instant < LAST_INSTANT:
            budget.spend()
            stretch = stretch_at(self.zone, instant)
            begin = self._begin(stretch, instant)
            wall = self._wall_at_or_after(begin)
            if wall is None:
                return None
            if wall < stretch.end + stretch.offset:
                return max(wall - stretch.offset, stretch.start)
            # No clock shows a matching time before that one: two days are more than any change of clocks.
            instant = max(stretch.end, wall - 2 * DAY_SECONDS)
        return None

    def at_or_before(self, instant: int) -> int | None:
        """Return the last fire time up to ``instant``."""
        while FIRST_INSTANT <= instant < LAST_INSTANT:
            budget.spend()
            stretch = stretch_at(self.zone, instant)
            wall = self._wall_at_or_before(instant + stretch.offset)
            if wall is None:
                return None
            if wall >= self._begin(stretch, stretch.start):
                return max(wall - stretch.offset, stretch.start)
            instant = min(stretch.start - 1, wall + 2 * DAY_SECONDS)
        return None

    def count(self, first: int, last: int) -> int:
        """Return how many fire times there are from ``first`` to ``last``, both included."""
        first, last = max(first, FIRST_INSTANT), min(last, LAST_INSTANT - 1)
        total = 0
        while first <= last:
            stretch = stretch_at(self.zone, first)
            end = min(stretch.end - 1, last) + stretch.offset
            begin = self._begin(stretch, first)
            after_gap = stretch.start + stretch.offset
            if begin < after_gap:
                # All that falls into the gap is one fire time: the one right after it.
                total += 1 if self._count_walls(begin, after_gap) else 0
                begin = after_gap + 1
            total += self._count_walls(begin, end)
            first = stretch.end
        return total

    def left_out(self, instant: int) -> int | None:
        """
        Return the wall time in a gap that fires at ``instant``, right after it. ``None``: the instant is not moved.
        """
        stretch = stretch_at(self.zone, instant)
        after_gap = stretch.start + stretch.offset
        if self.follows_clock or instant != stretch.start or stretch.before >= stretch.offset:
            return None
        wall = self._wall_at_or_after(stretch.start + stretch.before)
        return wall if wall is not None and wall < after_gap else None

    def _begin(self, stretch: Stretch, instant: int) -> int:
        """Return the first wall time that belongs to this stretch, from ``instant`` on."""
        begin = instant + stretch.offset
        if self.follows_clock:
            return begin
        # A fixed time belongs to the stretch that shows it first; one in a gap to the stretch after it.
        owned = stretch.start + stretch.before
        return owned if instant <= stretch.start else max(begin, owned)

    def _wall_at_or_after(self, wall: int) -> int | None:
        day, second = divmod(wall, DAY_SECONDS)
        found = self.days.at_or_after(day)
        if found == day:
            rank = self.times.rank(second)
            if rank < self.times.size:
                return day * DAY_SECONDS + self.times.ranked(rank)
            found = self.days.at_or_after(day + 1)
        return None if found is None else found * DAY_SECONDS + self.times.ranked(0)

    def _wall_at_or_before(self, wall: int) -> int | None:
        day, second = divmod(wall, DAY_SECONDS)
        found = self.days.at_or_before(day)
        if found == day:
            rank = self.times.rank(second + 1)
            if rank:
                return day * DAY_SECONDS + self.times.ranked(rank - 1)
            found = self.days.at_or_before(day - 1)
        return None if found is None else found * DAY_SECONDS + self.times.ranked(self.times.size - 1)

    def _count_walls(self, first: int, last: int) -> int:
        """Count the matching wall times from ``first`` to ``last``, both included."""
        if first > last:
            return 0
        first_day, first_second = divmod(first, DAY_SECONDS)
        last_day, last_second = divmod(last, DAY_SECONDS)
        total = self.days.count(first_day, last_day) * self.times.size
        if self.days.count(first_day, first_day):
            total -= self.times.rank(first_second)
        if self.days.count(last_day, last_day):
            total -= self.times.size - self.times.rank(last_second + 1)
        return total
