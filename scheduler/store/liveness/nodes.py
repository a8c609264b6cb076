"""Nodes: announcing, beating, stopping, and dealing with those that are gone."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple

from scheduler import failpoints
from scheduler.core import reasons
from scheduler.core.states import NodeKind, NodeState, RunState
from scheduler.core.tasks.adapters import EndedRun
from scheduler.messages import Message
from scheduler.store.recording import finishing, rollups
from scheduler.store.sessions.connections import Connection, Row, array, concerns_rows
from scheduler.store.sessions.halving import in_halves
from scheduler.store.sessions.transaction import Transaction
from scheduler.untouched import json

_BATCH = 200
_MOST_BATCHES = 10
"""Batches that one call handles. The heartbeat goes on meanwhile, and the next call handles the rest."""

_REAPER_LOCK = 0x5C4ED01
"""Any number that other users of advisory locks in the database are unlikely to use."""


class Beat(NamedTuple):
    """The answer to a heartbeat."""

    clock: datetime
    """The database's."""

    is_drained: bool
    """Somebody wants the node to take no more runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """The facts that a node or a worker states about itself when it starts."""

    node: str
    """Its id."""

    name: str
    version: str
    """The release of the scheduler."""

    executors: Mapping[str, int]
    """The size of each by name."""

    tasks: Collection[str]
    queues: Collection[str] = ()
    """Those that it serves, all of them without any."""

    tzdata: str = ""
    """The release of its time zone rules. Workers plan no jobs, and are registered without it."""

    kind: NodeKind = NodeKind.NODE
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaped:
    """The runs that were returned to the queue or interrupted because their nodes are gone."""

    nodes: tuple[tuple[str, str], ...]
    """Id and name of each node that was marked as lost."""

    requeued: int
    """Runs that had not begun and wait for any node now."""

    interrupted: int
    recovered: int
    """Interrupted runs that got a recovery attempt."""

    ended: tuple[EndedRun, ...] = ()
    """Enqueued runs that were interrupted and got none."""

    def plus(self, other: Reaped) -> Reaped:
        return Reaped(
            nodes=self.nodes + other.nodes,
            requeued=self.requeued + other.requeued,
            interrupted=self.interrupted + other.interrupted,
            recovered=self.recovered + other.recovered,
            ended=self.ended + other.ended,
        )

    @property
    def is_empty(self) -> bool:
        return not (self.nodes or self.requeued or self.interrupted)


def register(
    connection: Connection,
    *,
    announcement: Announcement,
    former: str | None = None,
    now: datetime | None = None,
) -> None:
    """
    Announce a node or a worker that has just started. ``former``: the id that it had until it was marked lost.
    """
    connection.execute(
        "register_node",
        node=announcement.node,
        name=announcement.name,
        host=announcement.host,
        pid=announcement.pid,
        version=announcement.version,
        executors=json.dumps(dict(announcement.executors)),
        queues=json.dumps(sorted(announcement.queues)),
        tasks=json.dumps(sorted(announcement.tasks)),
        tzdata=announcement.tzdata if announcement.kind is NodeKind.NODE else "",
        kind=announcement.kind.value,
        former=former,
        now=now,
    )


def note_tzdata(connection: Connection, *, node: str, tzdata: str) -> None:
    """Say by which release of the time zone rules a node computes now."""
    connection.execute("note_tzdata_of_node", node=node, tzdata=tzdata)


def beat(connection: Connection, *, node: str, stuck: int = 0, now: datetime | None = None) -> Beat | None:
    """Record that the node is alive, or return ``None`` if the node was marked lost."""
    rows = connection.execute("beat", node=node, stuck=stuck, now=now)
    return Beat._make(rows[0]) if rows else None


def change_state(
    connection: Connection, *, node: str, state: NodeState, reason: Message | None = None, now: datetime | None = None
) -> bool:
    """Mark the node as stopping or stopped. Return false if it was marked lost before."""
    rows = connection.execute(
        "change_node_state",
        node=node,
        state=state.value,
        reason_code=reasons.code_of(reason),
        reason_params=reasons.params_json(reason),
        now=now,
    )
    return bool(rows)


def reap(
    connection: Connection,
    *,
    reaper: str,
    reap_after_seconds: float | None,
    max_recoveries: int,
    now: datetime | None = None,
) -> Reaped | None:
    """
    Mark silent nodes as lost and settle the runs of all nodes that are gone, in short transactions.

    Queued runs go back to the queue. Running ones become interrupted and, where their job wants it, get a recovery
    attempt. ``reaper`` is the node that does this. With ``reap_after_seconds=None`` it marks no node as lost. Locked
    rows are left for the next call: until then such a run is its node's, and an outcome that comes first is kept.

    Returns ``None`` if another node is doing it right now.
    """
    settle_runs = partial(_settle_runs, reaper=reaper, max_recoveries=max_recoveries, now=now)
    mark = partial(_mark_lost, connection, reap_after_seconds=reap_after_seconds, now=now)
    try:
        # Together, so that few runs are left whose node is lost and which wait to be released.
        total = mark(then=settle_runs)
    except Exception as error:  # one run may make it fail: the others are dealt with by themselves
        if not concerns_rows(error):
            raise
        total = mark(then=None)
    if total is None:
        return None
    for _ in range(_MOST_BATCHES):
        found = [run_id for (run_id,) in connection.execute("runs_of_ended_nodes", limit=_BATCH)]
        done = in_halves(
            found,
            lambda ids: _in_one_transaction(connection, ids, settle_runs),
            lambda run_id, error: finishing.set_apart(connection, run=run_id, state=RunState.INTERRUPTED, error=error),
        )
        for batch in done:
            total = total.plus(batch)
        if len(found) < _BATCH:
            break
    return total


def _mark_lost(
    connection: Connection,
    *,
    reap_after_seconds: float | None,
    then: Callable[[Transaction, Sequence[int]], Reaped] | None,
    now: datetime | None,
) -> Reaped | None:
    with connection.transaction() as transaction:
        if not transaction.execute("try_lock", lock=_REAPER_LOCK)[0][0]:
            return None
        lost = transaction.execute(
            "mark_lost_nodes", reap_after=reap_after_seconds, reason_code=reasons.NO_HEARTBEAT.code, now=now
        )
        marked = Reaped(nodes=tuple((node, name) for node, name in lost), requeued=0, interrupted=0, recovered=0)
        if then is None:
            return marked
        orphans = [run_id for (run_id,) in transaction.execute("runs_of_ended_nodes", limit=_BATCH)]
        return marked.plus(then(transaction, orphans)) if orphans else marked


def _in_one_transaction(
    connection: Connection, orphans: Sequence[int], settle_runs: Callable[[Transaction, Sequence[int]], Reaped]
) -> Reaped:
    with connection.transaction() as transaction:
        return settle_runs(transaction, orphans)


def _settle_runs(
    transaction: Transaction, orphans: Sequence[int], *, reaper: str, max_recoveries: int, now: datetime | None
) -> Reaped:
    """Settle the runs of nodes that are gone. Locks decide which of two reapers does so."""
    requeued = transaction.execute("requeue_runs_of_ended_nodes", runs=array(orphans))
    interrupted: list[Row] = transaction.execute(
        "interrupt_runs_of_ended_nodes",
        runs=array(orphans),
        max_recoveries=max_recoveries,
        reason_code=reasons.NODE_LOST.code,
        error=reasons.NODE_LOST(node="%s"),
        now=now,
    )
    ended = tuple(
        EndedRun(run_id, task, public_id)
        for run_id, task, public_id, recovered in interrupted
        if public_id is not None and not recovered
    )
    if ended:
        transaction.execute("count_task_failures", failed=array([run.id for run in ended]), succeeded=array([]))
    rollups.roll_up(transaction, runs=[run_id for run_id, *_ in interrupted], node=reaper)
    failpoints.hit("reap.before_commit")
    return Reaped(
        nodes=(),
        requeued=len(requeued),
        interrupted=len(interrupted),
        recovered=sum(recovered for *_, recovered in interrupted),
        ended=ended,
    )
