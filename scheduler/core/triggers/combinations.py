"""Triggers made of triggers: any of them, or all of them at once."""

from __future__ import annotations

import heapq
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from scheduler.core.triggers import budget
from scheduler.core.triggers.budget import Budget, TooCostly
from scheduler.core.triggers.trigger import MOMENT, Trigger

MOST_STEPS = 1_000
"""The limit of disagreements of an ``and`` in the search for an instant."""

MOST_STEPS_INSIDE = 30
"""The same for an ``and`` somewhere inside another one, where searches multiply."""

_MOST_RUNS = 100
"""As many runs as a job gets at once after an outage, unless the settings say otherwise."""

FARTHEST = timedelta(days=366 * 50)
"""The search limit of an ``and``, equal to that of a single cron."""

MOST_COUNTED = 2_000
"""Up to here a combination counts one by one, and exactly, if its budget allows that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination(Trigger):
    is_combined = True

    triggers: tuple[Trigger, ...]

    @abstractmethod
    def _first(self, moment: datetime) -> datetime | None: ...

    @abstractmethod
    def _last(self, moment: datetime) -> datetime | None: ...

    @abstractmethod
    def _most(self, counts: list[int]) -> int:
        """Return the most fire times that the triggers can have together, from how many each of them has."""

    def at_or_after(self, moment: datetime) -> datetime | None:
        if not budget.is_limited():
            with Budget(budget.PLAN_STEPS):
                return self.at_or_after(moment)
        if self.start_at is not None and moment < self.start_at:
            moment = self.start_at
        found = self._first(moment)
        return None if found is None or (self.end_at is not None and found > self.end_at) else found

    def at_or_before(self, moment: datetime) -> datetime | None:
        if not budget.is_limited():
            with Budget(budget.PLAN_STEPS):
                return self.at_or_before(moment)
        if self.end_at is not None and moment > self.end_at:
            moment = self.end_at
        found = self._last(moment)
        return None if found is None or (self.start_at is not None and found < self.start_at) else found

    def next_after(self, after: datetime) -> datetime | None:
        return self.anchored(after).at_or_after(after + MOMENT)

    def count_after(self, after: datetime, *, until: datetime) -> int:
        """
        Exact up to ``MOST_COUNTED``, and as far as a budget for counting goes. Beyond, the most that there can be.

        A closed form would need every pair of rules to know when they coincide.
        """
        if self.start_at is not None and after < self.start_at:
            after = self.start_at - MOMENT
        if self.end_at is not None and until > self.end_at:
            until = self.end_at
        most = self._most([trigger.count_after(after, until=until) for trigger in self.triggers])
        if most > MOST_COUNTED:
            return most
        try:
            with budget.counting():
                return self._counted(after, until)
        except TooCostly:
            return most

    def _counted(self, after: datetime, until: datetime) -> int:
        total = 0
        moment = self.at_or_after(after + MOMENT)
        while moment is not None and moment <= until:
            total += 1
            moment = self.at_or_after(moment + MOMENT)
        return total

    def search_as_a_plan_does(self, *, since: datetime, until: datetime) -> None:
        """
        Do what planning an outage costs, with and without coalescing.

        :raises TooCostly: it exceeds the budget
        """
        first = self.next_after(since)
        if first is None:
            return
        # An outage costs most where fire times are: the first one may be months away.
        until = max(until, first + (until - since))
        last = self.latest(first=first, until=until)
        self.most_recent(first=first, until=last, limit=_MOST_RUNS)
        self.next_after(last)

    def settled(self, *, now: datetime) -> Self:
        return replace(self, triggers=tuple(trigger.settled(now=now) for trigger in self.triggers))

    def anchored(self, first: datetime) -> Self:
        triggers = tuple(trigger.anchored(first) for trigger in self.triggers)
        same = all(new is old for new, old in zip(triggers, self.triggers, strict=True))
        return self if same else replace(self, triggers=triggers)

    def first_after(self, now: datetime) -> datetime | None:
        settled = self.settled(now=now)
        starts = any(trigger.start_at == now or getattr(trigger, "run_at", None) == now for trigger in self.triggers)
        return settled.at_or_after(now if starts else now + MOMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrTrigger(Combination):
    """Fires when any of the triggers does. Once where several do."""

    def _first(self, moment: datetime) -> datetime | None:
        budget.spend(len(self.triggers))
        found = (trigger.at_or_after(moment) for trigger in self.triggers)
        return min((fire_time for fire_time in found if fire_time is not None), default=None)

    def _last(self, moment: datetime) -> datetime | None:
        budget.spend(len(self.triggers))
        found = (trigger.at_or_before(moment) for trigger in self.triggers)
        return max((fire_time for fire_time in found if fire_time is not None), default=None)

    def backwards(self, until: datetime) -> Iterator[datetime]:
        """Merge the fire times of the triggers, so that a rare one is not searched again for each of a frequent one."""
        if self.end_at is not None and until > self.end_at:
            until = self.end_at
        newest = None
        for moment in heapq.merge(*(trigger.backwards(until) for trigger in self.triggers), reverse=True):
            budget.spend()
            if self.start_at is not None and moment < self.start_at:
                return
            if moment != newest:
                yield moment
            newest = moment

    def _most(self, counts: list[int]) -> int:
        return sum(counts)

    def as_json(self) -> dict[str, Any]:
        return {"type": "or", "triggers": [trigger.as_json() for trigger in self.triggers], **self._bounds_as_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class AndTrigger(Combination):
    """
    Fires when all of the triggers do, at the same instant.

    The search for one is bounded by ``most_steps`` and ``FARTHEST``: beyond, there is none. Its budget may end it
    before.
    """

    most_steps: int = MOST_STEPS

    def _first(self, moment: datetime) -> datetime | None:
        return self._agreed(moment, forward=True)

    def _last(self, moment: datetime) -> datetime | None:
        return self._agreed(moment, forward=False)

    def _agreed(self, moment: datetime, *, forward: bool) -> datetime | None:
        """Let each trigger in turn move the instant to a fire time of its own, until all of them agree."""
        start = moment
        for _ in range(self.most_steps):
            agreed = moment
            for trigger in self.triggers:
                budget.spend()
                found = trigger.at_or_after(agreed) if forward else trigger.at_or_before(agreed)
                if found is None:
                    return None
                agreed = found
            if agreed == moment:
                return moment
            if abs(agreed - start) > FARTHEST:
                return None
            moment = agreed
        return None

    def _most(self, counts: list[int]) -> int:
        return min(counts)

    def as_json(self) -> dict[str, Any]:
        return {"type": "and", "triggers": [trigger.as_json() for trigger in self.triggers], **self._bounds_as_json()}

    def disagrees(self, *, now: datetime) -> bool:
        """Return whether the triggers go on, but never together."""
        settled = self.settled(now=now)
        return settled.next_after(now) is None and all(trigger.next_after(now) for trigger in settled.triggers)
