"""
Halving: one bad row does not stop the others.

Work that fails with many rows is tried with each half of them, down to the one row that makes it fail. A locked row is
passed by and comes back. A row whose values make every statement fail is set apart. A lost session ends the work,
because the outcome of every row is then unknown. Faults of the program are raised and not attributed to rows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from scheduler.errors import StatementCancelled
from scheduler.store.sessions.connections import concerns_rows
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)

QUICK_SECONDS = 0.2
"""The longest wait of a node's loop for rows that others have locked: all due jobs of the node wait as long."""

_MOST_SECONDS = 10.0
"""Limit of one pass: a server that is too slow for every row is not a fault of the rows."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_halves(
    items: Sequence[Item],
    work: Callable[[Sequence[Item]], Result],
    set_apart: Callable[[Item, Exception], object],
    *,
    pass_by: Callable[[Item], object] = lambda _: None,
) -> list[Result]:
    """
    Do the work with all items at once, or else with their halves, and return the results.

    ``set_apart`` gets each item that makes the work fail, ``pass_by`` each that is locked or takes too long.

    :raises DatabaseUnavailable: the session is lost, and some of the work may be done
    :raises Exception: the error of the work, if it still fails when the time of a pass is over
    """
    halving = _Halving(work=work, set_apart=set_apart, pass_by=pass_by, ends_at=time.monotonic() + _MOST_SECONDS)
    return halving.run(items) if items else []


@dataclass(frozen=True, slots=True, kw_only=True)
class _Halving(Generic[Item, Result]):
    work: Callable[[Sequence[Item]], Result]
    set_apart: Callable[[Item, Exception], object]
    pass_by: Callable[[Item], object]
    ends_at: float

    def run(self, items: Sequence[Item]) -> list[Result]:
        try:
            return [self.work(items)]
        except Exception as error:  # whatever a row makes a statement raise, it concerns that row only
            if not concerns_rows(error) or time.monotonic() >= self.ends_at:
                raise
            if len(items) == 1:
                self._leave_out(items[0], error)
                return []
        middle = len(items) // 2
        return self.run(items[:middle]) + self.run(items[middle:])

    def _leave_out(self, item: Item, error: Exception) -> None:
        row = {"row": str(item)[:200], "error": str(error)[:500]}
        if isinstance(error, StatementCancelled):
            logger.warning(events.ROW_PASSED_BY, extra=row)
            self.pass_by(item)
            return
        logger.warning(events.ROW_SET_APART, extra=row)
        try:
            self.set_apart(item, error)
        except Exception as fault:  # somebody has locked it, or a trigger of somebody else refuses it: it comes back
            if not concerns_rows(fault):
                raise
            logger.exception(events.ROW_STAYS, extra=row)
            self.pass_by(item)
