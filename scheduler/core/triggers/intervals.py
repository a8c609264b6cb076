"""Interval triggers: every so much time, whatever clocks show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from scheduler.core.triggers.trigger import MOMENT, Trigger

UNITS = {
    "weeks": timedelta(weeks=1),
    "days": timedelta(days=1),
    "hours": timedelta(hours=1),
    "minutes": timedelta(minutes=1),
    "seconds": timedelta(seconds=1),
}
SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(days=36_525)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalTrigger(Trigger):
    """
    Fires at ``start_at`` and then every ``interval`` of absolute time.

    Without ``start_at`` it has no anchor: it goes on from whatever fire time it is asked about.
    """

    interval: timedelta

    def next_after(self, after: datetime) -> datetime | None:
        start = self.start_at
        try:
            if start is None:
                found = after + self.interval
            elif after < start:
                found = start
            else:
                found = start + ((after - start) // self.interval + 1) * self.interval
        except OverflowError:
            return None
        return None if self.end_at is not None and found > self.end_at else found

    def at_or_after(self, moment: datetime) -> datetime | None:
        start = moment if self.start_at is None else self.start_at
        try:
            found = start if moment <= start else start - (start - moment) // self.interval * self.interval
        except OverflowError:
            return None
        return None if self.end_at is not None and found > self.end_at else found

    def at_or_before(self, moment: datetime) -> datetime | None:
        if self.end_at is not None and moment > self.end_at:
            moment = self.end_at
        start = moment if self.start_at is None else self.start_at
        return None if moment < start else start + (moment - start) // self.interval * self.interval

    def count_after(self, after: datetime, *, until: datetime) -> int:
        if self.end_at is not None and until > self.end_at:
            until = self.end_at
        start = after if self.start_at is None else self.start_at
        after = max(after, start - MOMENT)
        return max(0, (until - start) // self.interval - (after - start) // self.interval)

    def settled(self, *, now: datetime) -> Self:
        return self if self.start_at is not None else replace(self, start_at=now + self.interval)

    def anchored(self, first: datetime) -> Self:
        return self if self.start_at is not None else replace(self, start_at=first)

    def first_after(self, now: datetime) -> datetime | None:
        return self.settled(now=now).at_or_after(now if self.start_at == now else now + MOMENT)

    @property
    def unit(self) -> tuple[str, int | float]:
        """The largest unit that measures the interval without a rest, and how many of it."""
        for name, unit in UNITS.items():
            if not self.interval % unit:
                return name, self.interval // unit
        return "seconds", self.interval.total_seconds()

    def as_json(self) -> dict[str, Any]:
        name, number = self.unit
        return {"type": "interval", name: number, **self._bounds_as_json()}
