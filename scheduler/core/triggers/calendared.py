"""
Triggers with calendars: which fire times are left out, and what happens instead.

``only_on`` and ``not_on`` name calendars, and ``otherwise`` says what becomes of a fire time that they leave out:

* ``skip``: it does not run;
* ``next_day``, ``previous_day``: it does not run, and the nearest later or earlier day that is allowed at this time of
  day, at most ``MOST_DAYS`` away, gets a fire time at the same time of day. One that exists already stays one.

A maintenance window leaves fire times out as well. After one with ``once_afterwards`` that left any out, its end is a
fire time.

A fire time that is left out stays one: the ledger has a row for it, and a job can be due then. So a calendar never
changes the order of fire times, and ``left_out`` depends on the instant alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from scheduler.core import reasons
from scheduler.core.triggers import budget
from scheduler.core.triggers.budget import Budget, TooCostly
from scheduler.core.triggers.calendars.named import During, Named, end_of_stretch
from scheduler.core.triggers.combinations import FARTHEST, MOST_COUNTED
from scheduler.core.triggers.trigger import MOMENT, Trigger
from scheduler.core.triggers.zones import (
    DAY_SECONDS,
    LAST_INSTANT,
    instant_of,
    instant_of_wall,
    moment_of,
    wall_of,
    zone_named,
)
from scheduler.messages import Message

MOST_DAYS = 31
"""The farthest that a fire time is moved."""

MOST_A_DAY = 24
"""Fire times that a trigger may have in a day if they are to be moved."""

_DAY = timedelta(days=1)


class Otherwise(StrEnum):
    """The fate of a fire time that calendars leave out."""

    SKIP = "skip"
    NEXT_DAY = "next_day"
    PREVIOUS_DAY = "previous_day"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendaredTrigger(Trigger):
    """
    A trigger with calendars. Equal if rule, names and ``otherwise`` are; not by what is on the calendars just now.

    ``timezone``, ``start_at``, ``end_at`` and ``jitter_seconds`` are those of the rule.
    """

    rule: Trigger
    only_on: tuple[str, ...] = ()
    not_on: tuple[str, ...] = ()
    otherwise: Otherwise = Otherwise.SKIP
    on: tuple[Named, ...] = field(default=(), compare=False)
    """The calendars of ``only_on``."""

    off: tuple[Named, ...] = field(default=(), compare=False)
    windows: tuple[Named, ...] = field(default=(), compare=False)

    @classmethod
    def around(cls, rule: Trigger, **calendars: Any) -> Self:
        return cls(
            rule=rule,
            timezone=rule.timezone,
            start_at=rule.start_at,
            start_wall=rule.start_wall,
            end_at=rule.end_at,
            end_wall=rule.end_wall,
            jitter_seconds=rule.jitter_seconds,
            **calendars,
        )

    def with_rule(self, rule: Trigger) -> Self:
        if rule is self.rule:
            return self
        calendars = {"only_on", "not_on", "otherwise", "on", "off", "windows"}
        return self.around(rule, **{name: getattr(self, name) for name in calendars})

    def left_out(self, moment: datetime) -> Message | None:
        """Return why nothing runs at an instant; ``None``: it is allowed."""
        return self._left_out(instant_of(moment))

    def unchanged_until(self, moment: datetime) -> datetime:
        """Return a later instant before which ``left_out`` stays the same."""
        return moment_of(self._unchanged_until(instant_of(moment)))

    def _left_out(self, instant: int) -> Message | None:
        return self._by_calendars(instant) or self._by_windows(instant)

    def _by_calendars(self, instant: int) -> Message | None:
        for named in self.off:
            if (title := named.calendar.title_at(instant)) is not None:
                return reasons.LEFT_OUT_BY_CALENDAR(calendar=named.name, entry=title)
        if self.on and all(named.calendar.title_at(instant) is None for named in self.on):
            return reasons.LEFT_OUT_OFF_CALENDAR(calendar=", ".join(named.name for named in self.on))
        return None

    def _by_windows(self, instant: int) -> Message | None:
        for named in self.windows:
            if (title := named.calendar.title_at(instant)) is not None:
                return reasons.LEFT_OUT_BY_WINDOW(window=named.name, entry=title)
        return None

    def _unchanged_until(self, instant: int) -> int:
        budget.spend()
        every = (*self.off, *self.on, *self.windows)
        return min((named.calendar.unchanged_until(instant) for named in every), default=LAST_INSTANT)

    def at_or_after(self, moment: datetime) -> datetime | None:
        if not budget.is_limited():
            with Budget(budget.PLAN_STEPS):
                return self.at_or_after(moment)
        found = self.rule.at_or_after(moment)
        if self._moves:
            added = self._additions(moment, found or moment + timedelta(days=MOST_DAYS + 1))
            found = min(added if found is None else [found, *added], default=None)
        return found

    def at_or_before(self, moment: datetime) -> datetime | None:
        if not budget.is_limited():
            with Budget(budget.PLAN_STEPS):
                return self.at_or_before(moment)
        found = self.rule.at_or_before(moment)
        if self._moves:
            added = self._additions(found or moment - timedelta(days=MOST_DAYS + 1), moment)
            found = max(added if found is None else [found, *added], default=None)
        return found

    def count_after(self, after: datetime, *, until: datetime) -> int:
        """Exact up to ``MOST_COUNTED`` and as far as a budget for counting goes; beyond, without what was moved."""
        by_rule = self.rule.count_after(after, until=until)
        if not self._moves or by_rule > MOST_COUNTED:
            return by_rule
        try:
            with budget.counting():
                return sum(1 for _ in self._between(after, until))
        except TooCostly:
            return by_rule

    def _between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        moment = self.next_after(after)
        while moment is not None and moment <= until:
            yield moment
            moment = self.next_after(moment)

    @property
    def _moves(self) -> bool:
        """Return whether there are fire times besides those of the rule."""
        return self.otherwise is not Otherwise.SKIP or any(
            window.during is During.ONCE_AFTERWARDS for window in self.windows
        )

    def _additions(self, first: datetime, last: datetime) -> list[datetime]:
        """Return the fire times besides those of the rule, both bounds included."""
        added = list(self._ends_of_windows(first, last))
        if self.otherwise is not Otherwise.SKIP:
            added += self._moved(first, last)
        return [moment for moment in added if first <= moment <= last]

    def _ends_of_windows(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """The ends of windows with a fire time of the rule in them. It is the last one before the end."""
        has_ends = any(window.during is During.ONCE_AFTERWARDS for window in self.windows)
        moment = self.rule.at_or_before(first - MOMENT) if has_ends else None
        if moment is None and has_ends:
            moment = self.rule.at_or_after(first)
        while moment is not None and moment <= last:
            end = self._afterwards(moment)
            if end is not None:
                yield end
            moment = self.rule.at_or_after(max(self.unchanged_until(moment), moment + MOMENT, end or moment))

    def _afterwards(self, moment: datetime) -> datetime | None:
        """
        Return the end of the windows that run once afterwards and hold at an instant; ``None``: none of them does.

        Windows that overlap, or follow each other without a gap, end together.
        """
        found: datetime | None = None
        ones = [window for window in self.windows if window.during is During.ONCE_AFTERWARDS]
        while ends := [end for window in ones if (end := end_of_stretch(window, found or moment)) is not None]:
            if found is not None and max(ends) <= found:
                break  # one without an end
            found = max(ends)
        return found

    def window_open_at(self, moment: datetime) -> tuple[datetime, datetime] | None:
        """Return the last fire time left out by a window that is still open and runs once afterwards, and its end."""
        last = self.rule.at_or_before(moment)
        end = None if last is None else self._afterwards(last)
        return None if last is None or end is None or end <= moment else (last, end)

    def _moved(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Where the fire times go that calendars leave out, as far as it may be from ``first`` to ``last``."""
        forward = self.otherwise is Otherwise.NEXT_DAY
        moment = self.rule.at_or_after(self._bound(first, -1) if forward else first)
        until = last if forward else self._bound(last, 1)
        while moment is not None and moment <= until:
            budget.spend()
            if self._left_out(instant_of(moment)) is None:
                moment = self.rule.at_or_after(max(self.unchanged_until(moment), moment + MOMENT))
                continue
            if (target := self.moved_to(moment)) is not None:
                yield target
            moment = self.rule.at_or_after(moment + MOMENT)

    def moved_to(self, moment: datetime) -> datetime | None:
        """
        Return where a fire time goes that calendars leave out; ``None``: it is not moved.

        A maintenance window moves nothing. The target may lie outside of ``start_at`` and ``end_at``, which bound the
        fire times of the rule.
        """
        if self.otherwise is Otherwise.SKIP or self._by_calendars(instant_of(moment)) is None:
            return None
        step = 1 if self.otherwise is Otherwise.NEXT_DAY else -1
        zone = zone_named(self.timezone)
        wall = wall_of(moment.astimezone(zone))
        for days in range(1, MOST_DAYS + 1):
            budget.spend()
            instant = instant_of_wall(zone, wall + step * days * DAY_SECONDS)
            if self._left_out(instant) is None:
                return moment_of(instant)
        return None

    def _bound(self, moment: datetime, step: int) -> datetime:
        """
        Return how far from ``moment`` fire times can lie that are moved to its day.

        Days in between have something on a calendar: at the time of day of what is moved.
        """
        zone = zone_named(self.timezone)
        day = wall_of(moment.astimezone(zone)) // DAY_SECONDS
        for _ in range(MOST_DAYS):
            if not self._leaves_anything_out(zone, day + step):
                break
            day += step
        return moment_of(instant_of_wall(zone, (day + max(step, 0)) * DAY_SECONDS))

    def _leaves_anything_out(self, zone: Any, day: int) -> bool:
        begin = instant_of_wall(zone, day * DAY_SECONDS)
        end = instant_of_wall(zone, (day + 1) * DAY_SECONDS)
        while begin < end:
            if self._left_out(begin) is not None:
                return True
            begin = self._unchanged_until(begin)
        return False

    def first_allowed(self, after: datetime) -> datetime | None:
        """
        Return the first fire time strictly after ``after`` that is not left out. ``None``: there is none.

        :raises TooCostly: none was found as far as the budget goes
        """
        moment = self.next_after(after)
        while moment is not None and moment - after < FARTHEST:
            budget.spend()
            if self.left_out(moment) is None:
                return moment
            following = moment + MOMENT if self._moves else max(self.unchanged_until(moment), moment + MOMENT)
            moment = self.at_or_after(following)
        return None

    def settled(self, *, now: datetime) -> Self:
        return self.with_rule(self.rule.settled(now=now))

    def anchored(self, first: datetime) -> Self:
        return self.with_rule(self.rule.anchored(first))

    def first_after(self, now: datetime) -> datetime | None:
        settled = self.settled(now=now)
        first = settled.rule.first_after(now)
        return first if first is not None and first <= now else settled.next_after(now)

    def as_json(self) -> dict[str, Any]:
        form = self.rule.as_json()
        form |= {key: list(names) for key, names in (("only_on", self.only_on), ("not_on", self.not_on)) if names}
        if self.only_on or self.not_on:
            form["otherwise"] = self.otherwise.value
            form["calendars"] = {named.name: named.digest for named in (*self.on, *self.off)}
        if self.windows:
            form["windows"] = {named.name: [named.digest, named.during.value] for named in self.windows}
        return form
