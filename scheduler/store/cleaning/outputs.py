"""Results and logs of runs: dropped a page at a time, while the rows of the runs stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler.store import database, statements
from scheduler.store.sessions.connections import array


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPage:
    """One look at the ledger."""

    last_id: int | None
    """The start of the next page. ``None``: this was the last one."""

    holds_old_rows: bool
    """Whether a row was created before the cutoff. Ids grow with time: after a page without one come newer rows."""

    first_kept: int | None
    """The first run that had not ended by the cutoff."""

    runs: tuple[int, ...]
    """The ids of those whose output may go."""


def find(*, after: int, cutoff: datetime, limit: int) -> OutputPage:
    """Look at the next ``limit`` rows of the ledger, and lock none."""
    with database.cursor() as cursor:
        cursor.execute(statements.load("find_old_outputs"), {"after": after, "cutoff": cutoff, "limit": limit})
        last_id, holds_old_rows, first_kept, runs = cursor.fetchone()
    return OutputPage(last_id=last_id, holds_old_rows=holds_old_rows, first_kept=first_kept, runs=tuple(runs))


def drop(*, runs: Sequence[int]) -> int:
    """Drop the output of those of the runs that are finished and not locked, and return their number."""
    with database.atomic(), database.cursor() as cursor:
        cursor.execute(statements.load("drop_outputs"), {"runs": array(runs)})
        return len(cursor.fetchall())
