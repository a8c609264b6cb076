"""Roll-ups and counters: written with what they count, in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scheduler.core.buckets import LAG_SECONDS, RUN_SECONDS
from scheduler.store.sessions.connections import Connection, array
from scheduler.store.sessions.halving import in_halves
from scheduler.store.sessions.transaction import Transaction

_QUICK_SECONDS = 0.05


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


def count(connection: Connection, *, runs: Iterable[int], node: str) -> frozenset[int]:
    """
    Count recorded runs that are in no roll-up yet.

    Return those that cannot be counted now, because a roll-up is locked. A run whose times cannot be added up is never
    counted.
    """
    left: set[int] = set()

    def count_some(some: Sequence[int]) -> None:
        with connection.transaction(lock_seconds=_QUICK_SECONDS) as transaction:
            roll_up(transaction, runs=some, node=node)

    in_halves(sorted(runs), count_some, lambda *_: None, pass_by=left.add)
    return frozenset(left)
