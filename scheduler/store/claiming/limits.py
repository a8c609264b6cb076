"""
Limits by key: the runs that may start, those that wait, and those that go on when there is room.

One node decides at a time, for all keys, in a short transaction. The others pass by and ask again in a moment, so that
a node that hangs does not stop them. Statements that serve runs without limits do not depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler.core.tasks.limits import Grants, Head, Share, grant
from scheduler.store.sessions.connections import Connection, Row, array, texts
from scheduler.store.sessions.halving import QUICK_SECONDS
from scheduler.store.sessions.transaction import Transaction

LOCK = 0x6F6C_735F_6C69
"""Deciding about limits."""

HORIZON_SECONDS = 2.0
"""Starts of a rate are handed out so long ahead, so that a node need not decide about each."""

_PARKED_SECONDS = 900.0
"""A run that waits asks again after this, whatever happened to the nodes that should have granted it."""

_MOST_RUNS = 500
"""Of one lane, in one decision."""

_MOST_LANES = 2_000
_MOST_PACES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Permits:
    """The decision about runs that are to start."""

    granted: frozenset[int]
    """They may start now."""

    parked: frozenset[int]
    """They are off the node's hands, and wait for their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The outcome of one decision about the waiting runs."""

    runs: int
    has_more: bool
    """More lanes or runs follow: decide again at once."""

    after: str
    """The last lane that was looked at; empty: there are no more."""

    is_waiting: bool
    """Whether any run waits."""


def request_start(
    connection: Connection, *, node: str, shares: Mapping[int, Share], now: datetime | None = None
) -> Permits | None:
    """
    Request permission to start runs of this node. Those that get none are taken out of the queue.

    Runs that somebody has locked are in neither set: ask again. ``None``: another node is deciding, ask again as well.
    """
    with connection.transaction(lock_seconds=QUICK_SECONDS) as transaction:
        if not _is_alone(transaction):
            return None
        free = [run for (run,) in transaction.execute("lock_runs", runs=array(sorted(shares)))]
        if not free:
            return Permits(granted=frozenset(), parked=frozenset())
        _enter(transaction, [(run, shares[run]) for run in free])
        known = frozenset(run for (run,) in transaction.execute("granted_runs", runs=array(free)))
        transaction.execute("forget_limited_runs", waiting=False)
        lanes = sorted({shares[run].lane for run in free if run not in known})
        rows = _heads(transaction, lanes=lanes, after="", now=now) if lanes else []
        decided = _grant(transaction, rows, owned=frozenset(free), now=now)
        left = [run for run in free if run not in known and run not in decided.runs]
        if left:
            transaction.execute("park_limited_runs", runs=array(left), node=node, seconds=_PARKED_SECONDS, now=now)
    at_once = known.union(run for run, seconds in decided.runs.items() if seconds <= 0)
    return Permits(granted=at_once & frozenset(free), parked=frozenset(free) - at_once)


def grant_waiting(connection: Connection, *, after: str = "", now: datetime | None = None) -> Granted | None:
    """Grant what waits and has room, lane by lane; ``None``: another node is deciding."""
    with connection.transaction(lock_seconds=QUICK_SECONDS) as transaction:
        if not _is_alone(transaction):
            return None
        transaction.execute("forget_limited_runs", waiting=False)
        rows = _heads(transaction, lanes=None, after=after, now=now)
        decided = _grant(transaction, rows, owned=frozenset(), now=now)
    lanes = sorted({row[0] for row in rows})
    is_cut = len(lanes) >= _MOST_LANES
    full = any(sum(row[0] == lane and row[1] is not None for row in rows) >= _MOST_RUNS for lane in lanes[:1])
    return Granted(
        runs=len(decided.runs),
        has_more=bool(decided.runs) and (is_cut or full),
        after=lanes[-1] if is_cut else "",
        is_waiting=bool(lanes) or bool(after),
    )


def forget(connection: Connection, *, now: datetime | None = None) -> None:
    """Forget runs that ended while they waited, and paces that are long over."""
    connection.execute("forget_limited_runs", waiting=True)
    connection.execute("forget_paces", limit=_MOST_PACES, now=now)


def _is_alone(transaction: Transaction) -> bool:
    ((is_alone,),) = transaction.execute("try_lock", lock=LOCK)
    return bool(is_alone)


def _enter(transaction: Transaction, asked: Sequence[tuple[int, Share]]) -> None:
    shares = [share for _, share in asked]
    transaction.execute(
        "enter_limited_runs",
        runs=array([run for run, _ in asked]),
        lanes=texts([share.lane for share in shares]),
        labels=texts([share.label for share in shares]),
        rate_keys=texts([share.rate_key for share in shares]),
        rate_seconds=array([share.rate_seconds for share in shares]),
        concurrency_keys=texts([share.concurrency_key for share in shares]),
        concurrency_most=array([share.concurrency_most for share in shares]),
    )


def _heads(transaction: Transaction, *, lanes: Sequence[str] | None, after: str, now: datetime | None) -> list[Row]:
    return transaction.execute(
        "find_limited_heads",
        lanes=None if lanes is None else texts(lanes),
        after=after,
        most_lanes=_MOST_LANES,
        most=_MOST_RUNS,
        horizon=HORIZON_SECONDS,
        now=now,
    )


def _grant(transaction: Transaction, rows: Sequence[Row], *, owned: frozenset[int], now: datetime | None) -> Grants:
    """Decide about the heads, and write it down. ``owned``: runs that the caller has locked and starts itself."""
    heads = [
        Head(
            run=run,
            priority=priority,
            share=Share(rate_key=rate, rate_seconds=seconds, concurrency_key=concurrency, concurrency_most=most),
        )
        for _, run, priority, rate, seconds, concurrency, most, _, _ in rows
        if run is not None
    ]
    if not heads:
        return Grants()
    others = [head.run for head in heads if head.run not in owned]
    locked = {run for (run,) in transaction.execute("lock_runs", runs=array(sorted(others)))} if others else set()
    decided = grant(
        heads=[head for head in heads if head.run in owned or head.run in locked],
        next_starts={row[3]: row[7] for row in rows if row[1] is not None and row[7] is not None},
        active={row[5]: row[8] for row in rows if row[1] is not None},
        horizon_seconds=HORIZON_SECONDS,
    )
    if decided.next_starts:
        keys = list(decided.next_starts)
        seconds = array([decided.next_starts[key] for key in keys])
        transaction.execute("pace_limits", keys=texts(keys), seconds=seconds, now=now)
    if decided.runs:
        transaction.execute(
            "grant_limited_runs",
            runs=array(list(decided.runs)),
            seconds=array(list(decided.runs.values())),
            owned=array([run for run, seconds in decided.runs.items() if run in owned and seconds <= 0]),
            now=now,
        )
    return decided
