"""
A second opinion on calendars, written as naively as possible: it looks at the clock at each instant.

It shares no code with the calendars. The fire times of the rule alone are those of the trigger without calendars, which
``tests/unit/triggers`` compares with an oracle of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from scheduler.core.triggers.trigger import Trigger

WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Naive:
    """One rule of a calendar, as the test chose it."""

    weekday: str = ""
    begin: time | None = None
    end: time | None = None
    """Within the same day."""

    first: date | None = None
    last: date | None = None
    month_day: tuple[int, int] | None = None

    @property
    def line(self) -> str:
        if self.weekday:
            hours = f" {self.begin:%H:%M}-{self.end:%H:%M}" if self.begin else ""
            return self.weekday + hours
        if self.month_day:
            return f"{self.month_day[0]:02}-{self.month_day[1]:02}"
        return f"{self.first}..{self.last}"

    def has(self, shown: datetime) -> bool:
        """Whether it holds when a clock shows this."""
        if self.weekday:
            if WEEK[shown.weekday()] != self.weekday:
                return False
            return self.begin is None or self.end is None or self.begin <= shown.time() < self.end
        if self.month_day:
            return (shown.month, shown.day) == self.month_day
        assert self.first is not None
        assert self.last is not None
        return self.first <= shown.date() <= self.last


def is_on(rules: Sequence[Naive], moment: datetime, zone: ZoneInfo) -> bool:
    shown = moment.astimezone(zone).replace(tzinfo=None)
    return any(rule.has(shown) for rule in rules)


def resolved(shown: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a wall time: the first of two, or the first one after a gap."""
    for minutes in range(24 * 60 + 1):
        at = (shown + timedelta(minutes=minutes)).replace(tzinfo=zone, fold=0).astimezone(UTC)
        if minutes == 0 and at.astimezone(zone).replace(tzinfo=None) == shown:
            return at
        if at.astimezone(zone).replace(tzinfo=None) == shown + timedelta(minutes=minutes):
            # Clocks have gone forward: go back to the instant of the change.
            while (at - timedelta(minutes=1)).astimezone(zone).replace(tzinfo=None) > shown:
                at -= timedelta(minutes=1)
            return at
    raise AssertionError(shown)


def fire_times(
    rule: Trigger, rules: Sequence[Naive], *, zone: ZoneInfo, otherwise: str, begin: datetime, end: datetime
) -> list[tuple[datetime, bool]]:
    """Return all fire times of a window, each with whether it runs."""
    far = 40 * DAY
    by_rule = list(rule.upcoming(first=rule.at_or_after(begin - far) or end, until=end + far, limit=100_000))
    found = set(by_rule)
    if otherwise != "skip":
        for moment in by_rule:
            if not is_on(rules, moment, zone):
                continue
            shown = moment.astimezone(zone).replace(tzinfo=None)
            for days in range(1, 32):
                target = resolved(shown + days * DAY * (1 if otherwise == "next_day" else -1), zone)
                if not is_on(rules, target, zone):
                    found.add(target)
                    break
    return sorted((moment, not is_on(rules, moment, zone)) for moment in found if begin <= moment <= end)


def ends_of_windows(
    rule: Trigger, windows: Sequence[Sequence[Naive]], *, zone: ZoneInfo, begin: datetime, end: datetime
) -> set[datetime]:
    """Return when windows end that left a fire time out: minute by minute, until none of them holds any more."""
    first = rule.at_or_after(begin - 10 * DAY) or end
    found = set()
    for moment in rule.upcoming(first=first, until=end, limit=100_000):
        at = moment
        while any(is_on(window, at, zone) for window in windows):
            at += timedelta(minutes=1)
        if at != moment:
            found.add(at)
    return {at for at in found if begin <= at <= end}
