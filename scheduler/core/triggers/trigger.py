"""The interface of all triggers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any, ClassVar, Self

from scheduler.core.triggers.wall_time import WallClock
from scheduler.core.triggers.zones import instant_of, moment_of, zone_named
from scheduler.messages import message_in, phrase, phrase_in

MONTH_NAMES = (
    message_in("month of a date", "Jan"),
    message_in("month of a date", "Feb"),
    message_in("month of a date", "Mar"),
    message_in("month of a date", "Apr"),
    message_in("month of a date", "May"),
    message_in("month of a date", "Jun"),
    message_in("month of a date", "Jul"),
    message_in("month of a date", "Aug"),
    message_in("month of a date", "Sep"),
    message_in("month of a date", "Oct"),
    message_in("month of a date", "Nov"),
    message_in("month of a date", "Dec"),
)
"""Not ``%b``, which depends on the machine's language."""

MOMENT = timedelta(microseconds=1)
"""The least step of time: what lies strictly after an instant begins one moment later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger(ABC):
    """
    A rule for fire times, validated and compiled. Immutable. Equal if it means the same now, however it is written.

    All datetimes in and out are aware and in UTC. ``first`` is always a fire time that is known already (a job's
    ``next_run_time``): it counts, whatever the rule would say, and a rule without an anchor of its own goes on from it.
    """

    is_combined: ClassVar[bool] = False
    """Whether it is made of others. For each fire time: ``isinstance`` is slower with an abstract class."""

    timezone: str = "UTC"
    start_at: datetime | None = None
    """No fire time before it. An interval counts from here."""

    start_wall: datetime | None = field(default=None, compare=False)
    """``start_at`` as it is meant: a time on the clocks of the zone. ``None``: an instant, wherever clocks are."""

    end_at: datetime | None = None
    """No fire time after it."""

    end_wall: datetime | None = field(default=None, compare=False)

    jitter_seconds: int = 0
    """The maximum delay of a run by the engine. It never moves a fire time."""

    @abstractmethod
    def at_or_after(self, moment: datetime) -> datetime | None:
        """Return the first fire time from ``moment`` on."""

    @abstractmethod
    def at_or_before(self, moment: datetime) -> datetime | None:
        """Return the last fire time up to ``moment``."""

    @abstractmethod
    def count_after(self, after: datetime, *, until: datetime) -> int:
        """Return how many fire times are later than ``after`` and not later than ``until``."""

    @abstractmethod
    def as_json(self) -> dict[str, Any]:
        """Return the JSON form, its keys in a fixed order."""

    def settled(self, *, now: datetime) -> Self:
        """Return the trigger with its anchor fixed, as it is stored when it is created ``now``."""
        return self

    def anchored(self, first: datetime) -> Self:
        """Return the trigger as it goes on from a fire time, if it has no anchor of its own."""
        return self

    def next_after(self, after: datetime) -> datetime | None:
        """Return the first fire time strictly after ``after``. ``None``: there is none."""
        return self.at_or_after(after + MOMENT)

    def first_after(self, now: datetime) -> datetime | None:
        """Return the first fire time of a trigger that is created ``now``."""
        return self.settled(now=now).next_after(now)

    def latest(self, *, first: datetime, until: datetime) -> datetime:
        """Return the last fire time not after ``until``, at least ``first``. Costs the same after any outage."""
        found = self.anchored(first).at_or_before(until)
        return first if found is None or found < first else found

    def count(self, *, first: datetime, until: datetime) -> int:
        """Return how many fire times there are from ``first`` to ``until``, both included."""
        if until < first:
            return 0
        return 1 + self.anchored(first).count_after(first, until=until)

    def upcoming(self, *, first: datetime, until: datetime, limit: int) -> tuple[datetime, ...]:
        """Return the oldest ``limit`` fire times from ``first`` to ``until``, oldest first."""
        chain = self.anchored(first)
        found: list[datetime] = []
        moment: datetime | None = first
        while moment is not None and moment <= until and len(found) < limit:
            found.append(moment)
            moment = chain.next_after(moment)
        return tuple(found)

    def most_recent(self, *, first: datetime, until: datetime, limit: int) -> tuple[datetime, ...]:
        """Return the newest ``limit`` fire times from ``first`` to ``until``, oldest first."""
        found: list[datetime] = []
        for moment in self.anchored(first).backwards(until):
            if moment <= first or len(found) == limit:
                break
            found.append(moment)
        if len(found) < limit and first <= until:
            found.append(first)
        return tuple(reversed(found))

    def backwards(self, until: datetime) -> Iterator[datetime]:
        """Return the fire times up to ``until``, newest first."""
        moment = self.at_or_before(until)
        while moment is not None:
            yield moment
            moment = self.at_or_before(moment - MOMENT)

    def _bounds_as_json(self) -> dict[str, Any]:
        """The keys that every type has, as the last ones of its JSON."""
        zone = zone_named(self.timezone)
        form: dict[str, Any] = {"timezone": self.timezone}
        if self.start_at is not None:
            form["start_at"] = written(self.start_at, self.start_wall, zone)
        if self.end_at is not None:
            form["end_at"] = written(self.end_at, self.end_wall, zone)
        if self.jitter_seconds:
            form["jitter_seconds"] = self.jitter_seconds
        return form


@dataclass(frozen=True, slots=True, kw_only=True)
class WallClockTrigger(Trigger):
    """A trigger whose fire times are times of day in a zone. It is equal by the fields its subclasses add."""

    clock: WallClock = field(compare=False, repr=False)

    def at_or_after(self, moment: datetime) -> datetime | None:
        if self.start_at is not None and moment < self.start_at:
            moment = self.start_at
        found = self.clock.at_or_after(instant_of(moment - MOMENT) + 1)
        if found is None:
            return None
        fire_time = moment_of(found)
        return None if self.end_at is not None and fire_time > self.end_at else fire_time

    def at_or_before(self, moment: datetime) -> datetime | None:
        if self.end_at is not None and moment > self.end_at:
            moment = self.end_at
        found = self.clock.at_or_before(instant_of(moment))
        if found is None:
            return None
        fire_time = moment_of(found)
        return None if self.start_at is not None and fire_time < self.start_at else fire_time

    def count_after(self, after: datetime, *, until: datetime) -> int:
        if self.start_at is not None and after < self.start_at:
            after = self.start_at - MOMENT
        if self.end_at is not None and until > self.end_at:
            until = self.end_at
        return self.clock.count(instant_of(after) + 1, instant_of(until))


def written(moment: datetime, wall: datetime | None, zone: tzinfo) -> str:
    """Write a time of a trigger: as its wall time if that is what is meant, else as an instant with its offset."""
    return rfc3339(moment, zone) if wall is None else wall.isoformat()


def rfc3339(moment: datetime, zone: tzinfo) -> str:
    """Write an instant on the clock of a zone, with its offset. ``Z`` in UTC."""
    return moment.astimezone(zone).isoformat().replace("+00:00", "Z")


def short_date(moment: datetime, timezone: str) -> str:
    """``24 Nov 02:00``, on the clock of a zone."""
    return phrase("{day} {month} {time}", **_parts(moment, timezone))


def long_date(moment: datetime, timezone: str) -> str:
    """``22 Nov 2026, 14:00``, on the clock of a zone."""
    return phrase("{day} {month} {year}, {time}", **_parts(moment, timezone))


def time_now(now: datetime, timezone: str, *, than: datetime) -> str:
    """``23 Nov, 02:47``: with the year only if it is another one than that of ``than``."""
    zone = zone_named(timezone)
    if now.astimezone(zone).year != than.astimezone(zone).year:
        return long_date(now, timezone)
    return phrase("{day} {month}, {time}", **_parts(now, timezone))


def _parts(moment: datetime, timezone: str) -> dict[str, str]:
    local = moment.astimezone(zone_named(timezone))
    month = phrase_in(*MONTH_NAMES[local.month - 1])
    return {"day": f"{local.day}", "month": month, "year": f"{local.year}", "time": f"{local:%H:%M}"}
