"""Speaking for a node whose process lives and cannot speak for itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from scheduler.core import reasons
from scheduler.messages import Message
from scheduler.store.sessions import notifications
from scheduler.store.sessions.connections import Connection, array
from scheduler.store.sessions.notifications import Channel


def beat(connection: Connection, *, node: str, reason: Message | None, now: datetime | None = None) -> bool:
    """
    Record that the node is alive, and why it does not say so itself. ``None`` takes that reason away.

    Return false if it was marked lost.
    """
    rows = connection.execute(
        "beat_in_stead",
        node=node,
        reason_code=reasons.code_of(reason),
        reason_params=reasons.params_json(reason),
        now=now,
    )
    return bool(rows)


def give_back_unbegun(
    connection: Connection, *, node: str, begun: Sequence[int], now: datetime | None = None
) -> frozenset[int]:
    """
    Return the queued runs of a node to the queue, all but those that have begun, and wake the others.

    A run of an idempotent task may have begun before the database shows it as running: now it does.
    """
    with connection.transaction() as transaction:
        transaction.execute("start_runs", runs=array(begun), node=node, now=now)
        rows = transaction.execute("give_back_queued_runs", node=node)
    notifications.notify_from(connection, Channel.RUNS)
    return frozenset(run_id for (run_id,) in rows)
