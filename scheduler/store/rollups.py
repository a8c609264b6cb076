"""Roll-ups and counters: written with what they count, in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.core.buckets import LAG_SECONDS, RUN_SECONDS
from scheduler.store.connections import Transaction, array


def roll_up(transaction: Transaction, *, runs: Iterable[int], node: str) -> None:
    """
    Count runs that have just ended, and fire times that were just missed or skipped.

    The last statement of its transaction, and once for each run.
    """
    ids = list(runs)
    if ids:
        transaction.execute(
            "roll_up_runs", runs=array(ids), node=node, run_bounds=list(RUN_SECONDS), lag_bounds=list(LAG_SECONDS)
        )
