"""
Roll-ups and counters: written with what they count, in the same transaction.

The server keeps the former versions of a row while any transaction is older than they are, and whoever looks the row up
visits them all. So a process counts under keys of its own, each for so many changes, and adds them to the counters of
its node when it has done with them. What it leaves behind when it dies is added up by the clean-up.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from uuid import uuid4

from scheduler.core.buckets import LAG_SECONDS, RUN_SECONDS
from scheduler.store.sessions.connections import Connection, array
from scheduler.store.sessions.halving import in_halves
from scheduler.store.sessions.transaction import Transaction

_QUICK_SECONDS = 0.05

CHANGES_OF_A_KEY = 200
"""Changes of its counters after which a node counts under another key."""


class _Keys:
    """The keys under which this process counts. Used by all its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._present: dict[str, tuple[str, int]] = {}
        """By node: the key, and how often it may be used yet."""

        self._full: dict[str, list[str]] = {}

    def use(self, node: str) -> str:
        """Return the key under which the next change of this node's counters is written."""
        with self._lock:
            key, left = self._present.get(node, ("", 0))
            if not left:
                if key:
                    self._full.setdefault(node, []).append(key)
                key, left = str(uuid4()), CHANGES_OF_A_KEY
            self._present[node] = key, left - 1
            return key

    def take_full(self, node: str) -> list[str]:
        """Return the keys that are no longer used."""
        with self._lock:
            return self._full.pop(node, [])


_keys = _Keys()


def roll_up(transaction: Transaction, *, runs: Iterable[int], node: str) -> None:
    """
    Count runs that have just ended, and fire times that were just missed or skipped.

    The last statement of its transaction, and once for each run.
    """
    ids = list(runs)
    if ids:
        transaction.execute(
            "roll_up_runs",
            runs=array(ids),
            key=_keys.use(node),
            run_bounds=list(RUN_SECONDS),
            lag_bounds=list(LAG_SECONDS),
        )


def fold(connection: Connection, *, node: str) -> None:
    """
    Add what was counted under keys that are no longer used to the counters of the node.

    If that fails, the clean-up does it: totals are sums over all keys.
    """
    keys = _keys.take_full(node)
    if keys:
        with connection.transaction(lock_seconds=_QUICK_SECONDS) as transaction:
            transaction.execute("fold_counters", parts=keys, into=node)
            transaction.execute("fold_queue_counters", parts=keys, into=node, now=None)


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
