"""
The heads of the lines in which runs wait: the place at which a node begins to read each of them.

A run that was taken leaves an entry in the index of waiting runs, which the server keeps while any transaction is older
than that. As long as it is quick to read a line from its first entry, a node does so. If it takes long, the node
continues where it stopped, priority by priority, and reads from the first entry in a small share of its time. Only then
it finds what came out of turn: a run that was given back, a priority that it has not seen, a commit that was late, a
held run that has its turn. After it found any, that share is larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from scheduler.store.sessions.connections import array, instants
from scheduler.untouched import time

QUICK_SECONDS = 0.01
_QUICK_SECONDS_A_RUN = 0.0005
"""The cost of a taking that finds only live entries."""

SHARE = 20
"""Reading from the first entry takes no more than this part of the time."""

_SHARE_IF_FOUND = 2
"""The same, after it found what came out of turn: more of it may follow, as in a backfill."""

_LATE = timedelta(seconds=2)
"""Runs whose transaction commits later than this after they were written may be found out of turn."""


class Place(NamedTuple):
    """Where a run stood in its line. Its fields are the last columns of ``take_enqueued_runs``."""

    priority: int
    due_at: datetime


@dataclass(slots=True, kw_only=True)
class _Line:
    """One track."""

    first: dict[int, tuple[datetime, int]] = field(default_factory=dict)
    """The due time and number of the first run that may wait, by priority."""

    whole_at: float = 0.0
    whole_took: float = 0.0
    has_more_out_of_turn: bool = False
    """Whether the latest look from the first entry found what one from the places would not have."""

    latest: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    """The latest due time of a run that was taken."""

    ends_seen: bool = False
    """Whether the latest look from the first entry came to the end of the line, so that all priorities are known."""

    @property
    def whole_again_at(self) -> float:
        """When it is read from the first entry again."""
        return self.whole_at + (_SHARE_IF_FOUND if self.has_more_out_of_turn else SHARE) * self.whole_took

    def is_out_of_turn(self, taken: Sequence[tuple[Place, int]]) -> bool:
        """Return whether a look from the places on would have found less."""
        first = self.first
        return bool(first) and any(
            place.priority not in first or (place.due_at, run) < first[place.priority] for place, run in taken
        )

    def went_on(self, taken: Sequence[tuple[Place, int]], *, is_over: bool) -> None:
        """Move the places behind what was taken, in the order of the line. ``is_over``: no more is due."""
        for place, run in taken:
            self.first[place.priority] = (place.due_at, run)
            self.latest = max(self.latest, place.due_at)
        last = taken[-1][0].priority if taken and not is_over else None
        for priority in self.first:
            if last is None or priority > last:  # all that was due there has been taken
                self.first[priority] = (self.latest - _LATE, 0)


class Heads:
    """Used by one thread."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def position(self, track: str) -> dict[str, Any]:
        """Return the parameters of a statement that say where it begins to read."""
        line = self._lines.get(track)
        if line is None or time.monotonic() >= line.whole_again_at:
            return {"priorities": None, "since": None, "after": None}
        return {
            "priorities": array(list(line.first)),
            "since": instants([due_at for due_at, _ in line.first.values()]),
            "after": array([run for _, run in line.first.values()]),
        }

    def note(
        self, track: str, *, seconds: float, is_whole: bool, taken: Sequence[tuple[Place, int]], limit: int
    ) -> None:
        """Remember what was taken, in the order of the line, and how long that took."""
        line = self._lines.setdefault(track, _Line())
        is_over = len(taken) < limit
        if is_whole:
            is_quick = seconds <= QUICK_SECONDS + _QUICK_SECONDS_A_RUN * len(taken)
            line.whole_at, line.whole_took = time.monotonic(), 0.0 if is_quick else seconds
            line.has_more_out_of_turn = line.is_out_of_turn(taken)
            line.ends_seen = is_over
        elif is_over and not line.ends_seen:
            line.whole_took = 0.0  # there may be runs of priorities that it has not come to
        line.went_on(taken, is_over=is_over)
