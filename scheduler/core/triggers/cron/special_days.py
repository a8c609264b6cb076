"""
Days of a month that a cron expression names by a rule that cronsim does not read.

``15W`` is the weekday nearest to the 15th, in the same month. ``L-2`` is two days before the last day. Both are as in
Quartz (``CronExpression.getNextValidTimeAfter``). A month without the 31st has no ``31W``.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import Self

_NEAREST = re.compile(r"([1-9]|[12]\d|3[01])W", re.ASCII)
_BEFORE_LAST = re.compile(r"L-([1-9]|[12]\d|30)", re.ASCII)
_SATURDAY, _SUNDAY = 5, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialDay:
    number: int
    is_before_last: bool
    """True for ``L-2``, false for ``15W``."""

    @classmethod
    def read(cls, item: str) -> Self | None:
        """Return the day that an item in capitals names, or ``None`` for other kinds of items."""
        if found := _NEAREST.fullmatch(item):
            return cls(number=int(found[1]), is_before_last=False)
        if found := _BEFORE_LAST.fullmatch(item):
            return cls(number=int(found[1]), is_before_last=True)
        return None

    def matches(self, day: date) -> bool:
        last = monthrange(day.year, day.month)[1]
        if self.is_before_last:
            return day.day == last - self.number
        return self.number <= last and day.day == self._nearest(day.replace(day=self.number), last)

    @staticmethod
    def _nearest(named: date, last: int) -> int:
        if named.weekday() == _SATURDAY:
            return named.day - 1 if named.day > 1 else 3
        if named.weekday() == _SUNDAY:
            return named.day + 1 if named.day < last else named.day - 2
        return named.day
