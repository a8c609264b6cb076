"""
One bad row does not stop the others.

What fails with many rows is tried with each half of them, down to the one row that makes it fail, which is set apart.
Only a lost session ends it: then nothing is known of any row.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from scheduler.store.connections import concerns_rows

logger = logging.getLogger(__name__)

_MOST_SECONDS = 10.0
"""A server that is too slow for every row is no matter of rows."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_halves(
    items: Sequence[Item], work: Callable[[Sequence[Item]], Result], set_apart: Callable[[Item, Exception], None]
) -> list[Result]:
    """
    Do the work with all items at once, else with their halves; return the results.

    :raises DatabaseUnavailable: the session is lost; some of the work may have been done
    :raises Exception: what the work raised, if it goes on to fail for longer than a pass may take
    """
    return _in_halves(items, work, set_apart, ends_at=time.monotonic() + _MOST_SECONDS) if items else []


def _in_halves(
    items: Sequence[Item],
    work: Callable[[Sequence[Item]], Result],
    set_apart: Callable[[Item, Exception], None],
    *,
    ends_at: float,
) -> list[Result]:
    try:
        return [work(items)]
    except Exception as error:  # whatever a row makes a statement raise, it concerns that row only
        if not concerns_rows(error) or time.monotonic() >= ends_at:
            raise
        if len(items) == 1:
            _set_apart(items[0], error, set_apart)
            return []
    middle = len(items) // 2
    first = _in_halves(items[:middle], work, set_apart, ends_at=ends_at)
    return first + _in_halves(items[middle:], work, set_apart, ends_at=ends_at)


def _set_apart(item: Item, error: Exception, set_apart: Callable[[Item, Exception], None]) -> None:
    row = {"row": str(item)[:200], "error": str(error)[:500]}
    logger.warning("scheduler.row.set_apart", extra=row)
    try:
        set_apart(item, error)
    except Exception as fault:  # somebody has locked it, or a trigger of somebody else refuses it: it comes back
        if not concerns_rows(fault):
            raise
        logger.exception("scheduler.row.stays", extra=row)
