"""The entry of a calendar at an instant, and until when it stays."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from heapq import heappop, heappush

from scheduler.core.triggers.calendars.rules import Rules, Weekly, Yearly
from scheduler.core.triggers.wall_time import date_of, day_number
from scheduler.core.triggers.zones import DAY_SECONDS, LAST_INSTANT, instant_of_wall, stretch_at

_WEEK = range(9)
"""Days in which every boundary of a week lies, the rest of today included."""

_LAST_DAY = LAST_INSTANT // DAY_SECONDS
_MONDAY = 3
"""1 January 1970 was a Thursday."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Stretches that do not overlap, in order, each with a title; the ends are not included."""

    begins: tuple[int, ...]
    ends: tuple[int, ...]
    titles: tuple[str, ...]

    def title_at(self, point: int) -> str | None:
        place = bisect_right(self.begins, point) - 1
        return self.titles[place] if place >= 0 and point < self.ends[place] else None

    def boundary_after(self, point: int) -> int | None:
        """Return the next point at which a stretch begins or ends."""
        place = bisect_right(self.begins, point)
        if place and point < self.ends[place - 1]:
            return self.ends[place - 1]
        return self.begins[place] if place < len(self.begins) else None


def flattened(stretches: Iterable[tuple[int, int, str]]) -> Pieces:
    """Return stretches, which may overlap, as pieces that do not: of several at once, the one given first counts."""
    given = list(stretches)
    opening = sorted(range(len(given)), key=lambda place: given[place][0])
    points = sorted({point for begin, end, _ in given for point in (begin, end)})
    pieces: list[tuple[int, int, str]] = []
    open_now: list[int] = []
    at = 0
    for begin, end in itertools.pairwise(points):
        while at < len(opening) and given[opening[at]][0] <= begin:
            heappush(open_now, opening[at])
            at += 1
        while open_now and given[open_now[0]][1] <= begin:
            heappop(open_now)
        if not open_now:
            continue
        title = given[open_now[0]][2]
        if pieces and pieces[-1][1] == begin and pieces[-1][2] == title:
            pieces[-1] = (pieces[-1][0], end, title)
        else:
            pieces.append((begin, end, title))
    return Pieces(
        tuple(piece[0] for piece in pieces), tuple(piece[1] for piece in pieces), tuple(piece[2] for piece in pieces)
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calendar:
    """A calendar on the clocks of one zone. Instants are seconds since 1970."""

    zone: tzinfo
    days: Pieces
    """By the number of the day."""

    times: Pieces
    """By instant."""

    weekly: tuple[Weekly, ...]
    yearly: dict[tuple[int, int], str]

    def title_at(self, instant: int) -> str | None:
        """Return the title of what is on the calendar; ``None``: it is free."""
        day, second = divmod(instant + stretch_at(self.zone, instant).offset, DAY_SECONDS)
        if (title := self.days.title_at(day)) is not None:
            return title
        if self.yearly and (title := self.yearly.get(_month_and_day(day))) is not None:
            return title
        if (title := self.times.title_at(instant)) is not None:
            return title
        weekday = (day + _MONDAY) % 7
        for rule in self.weekly:
            if weekday in rule.weekdays and rule.begin <= second < rule.end:
                return rule.title
        return None

    def unchanged_until(self, instant: int) -> int:
        """Return a later instant before which the answer stays the same. It may stay so beyond."""
        stretch = stretch_at(self.zone, instant)
        wall = instant + stretch.offset
        day = wall // DAY_SECONDS
        found = [stretch.end]
        if (first := self.days.boundary_after(day)) is not None:
            found.append(instant_of_wall(self.zone, first * DAY_SECONDS))
        if self.yearly:
            found.append(instant_of_wall(self.zone, self._yearly_boundary(day) * DAY_SECONDS))
        if (begin := self.times.boundary_after(instant)) is not None:
            found.append(begin)
        if self.weekly:
            found.append(instant_of_wall(self.zone, self._weekly_boundary(wall)))
        return min(each for each in found if each > instant)

    def _yearly_boundary(self, day: int) -> int:
        if _month_and_day(day) in self.yearly:
            return day + 1
        this_year = date_of(day).year
        for year in range(this_year, this_year + 9):  # nine, because 2100 has no 29 February
            days = [day_number(date(year, *each)) for each in self.yearly if _exists(year, *each)]
            if later := [each for each in days if each > day]:
                return min(later)
        raise AssertionError("every day of the year comes again")

    def _weekly_boundary(self, wall: int) -> int:
        day = wall // DAY_SECONDS
        for number in _WEEK:
            weekday = (day + number + _MONDAY) % 7
            points = [
                (day + number) * DAY_SECONDS + second
                for rule in self.weekly
                if weekday in rule.weekdays
                for second in (rule.begin, rule.end)
            ]
            later = [point for point in points if point > wall]
            if later:
                return min(later)
        raise AssertionError("every rule has a weekday")


def calendar_of(rules: Rules, *, holidays: Sequence[tuple[int, str]], zone: tzinfo) -> Calendar:
    """Return the calendar of rules and of holidays, which are days by their number, with their names."""
    # A holiday of a country comes last: what somebody wrote on that day is nearer.
    days = [(each.first, each.last + 1, each.title) for each in rules.dates]
    days += [(day, day + 1, title) for day, title in holidays]
    times = [(instant_of_wall(zone, each.begin), instant_of_wall(zone, each.end), each.title) for each in rules.times]
    return Calendar(
        zone=zone,
        days=flattened(days),
        times=flattened(each for each in times if each[0] < each[1]),
        weekly=rules.weekly,
        yearly=_by_day(rules.yearly),
    )


def _by_day(yearly: Iterable[Yearly]) -> dict[tuple[int, int], str]:
    found: dict[tuple[int, int], str] = {}
    for each in yearly:
        found.setdefault((each.month, each.day), each.title)
    return found


def _month_and_day(day: int) -> tuple[int, int]:
    shown = date_of(min(day, _LAST_DAY))
    return shown.month, shown.day


def _exists(year: int, month: int, number: int) -> bool:
    try:
        date(year, month, number)
    except ValueError:
        return False
    return True
