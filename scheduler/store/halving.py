"""
One bad row does not stop the others.

What fails with many rows is tried with each half of them, down to the one row that makes it fail, which is set apart.
Only a lost session ends it: then nothing is known of any row.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from scheduler.store.connections import concerns_rows

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_halves(
    items: Sequence[Item], work: Callable[[Sequence[Item]], Result], set_apart: Callable[[Item, Exception], None]
) -> list[Result]:
    """
    Do the work with all items at once, else with their halves; return the results.

    :raises DatabaseUnavailable: the session is lost; some of the work may have been done
    """
    if not items:
        return []
    try:
        return [work(items)]
    except Exception as error:  # whatever a row makes a statement raise, it concerns that row only
        if not concerns_rows(error):
            raise
        if len(items) == 1:
            logger.warning("scheduler.row.set_apart", extra={"row": str(items[0])[:200], "error": str(error)[:500]})
            set_apart(items[0], error)
            return []
        middle = len(items) // 2
        return in_halves(items[:middle], work, set_apart) + in_halves(items[middle:], work, set_apart)
