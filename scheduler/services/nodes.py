"""Nodes: which there are and how they stand, and draining one so that it can be ended without interrupting a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from scheduler.core import error_messages
from scheduler.core.states import NodeKind, NodeState
from scheduler.errors import NodeStateUnchanged
from scheduler.models import Node, Queue
from scheduler.remote import executors
from scheduler.services import queues
from scheduler.services.queries.run_queries import NodeSeen
from scheduler.store import database
from scheduler.store.clock import database_now
from scheduler.store.measuring import measures

PAUSED, UNSERVED = "paused", "unserved"
"""Reasons that may hold up a queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenNode:
    node: Node
    state: str
    """That of its row, or ``silent`` when it says that it runs and has not been heard for too long."""

    skew_seconds: float | None
    """Its clock ahead of the database's, or ``None`` if unknown."""


def seen(*, now: datetime) -> list[SeenNode]:
    """Return the nodes that run, and those that ended within a day. At most 50."""
    is_shown = Q(state__in=(NodeState.RUNNING, NodeState.STOPPING)) | Q(heartbeat_at__gte=now - timedelta(days=1))
    found = Node.objects.select_related("measure").filter(is_shown).order_by("-heartbeat_at", "pk")[:50]
    return [SeenNode(node=node, state=state_of(node, now=now), skew_seconds=_skew(node)) for node in found]


def state_of(node: Node | NodeSeen, *, now: datetime) -> str:
    """Return the state of the node's row, or ``silent`` when its heartbeat is too old, or ``drained``."""
    silent = now - timedelta(seconds=measures.fresh_seconds())
    if node.state != NodeState.RUNNING:
        return node.state
    return "silent" if node.heartbeat_at < silent else "drained" if node.drained_at is not None else node.state


def hold_up(*, executor: str, queue: str, now: datetime) -> str:
    """Return what keeps runs of this executor and queue from their turn, besides those before them."""
    stored = Queue.objects.filter(name=queue).first()
    if stored is not None and queues.is_paused(stored, now=now):
        return PAUSED
    return "" if _is_served(executor, queue, now) else UNSERVED


def _is_served(executor: str, queue: str, now: datetime) -> bool:
    """Return whether a node that takes runs has this executor and queue, or no node does at all, which is different."""
    fresh = now - timedelta(seconds=measures.fresh_seconds())
    alive = list(
        Node.objects.filter(state=NodeState.RUNNING, heartbeat_at__gte=fresh, drained_at=None).values_list(
            "executors", "queues"
        )
    )
    return not alive or any(executor in executors and (not queues or queue in queues) for executors, queues in alive)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteQueue:
    """The far end of a remote executor: who serves it, and whether its broker can be told."""

    workers: int
    """Those that are alive."""

    refusal: str
    """The error of a node whose messages the broker refused. Empty: it accepts them."""


def remote_queue(*, executor: str, now: datetime) -> RemoteQueue:
    """Look at the workers and the broker of a remote executor: one query."""
    fresh = now - timedelta(seconds=measures.fresh_seconds())
    alive = Node.objects.filter(state=NodeState.RUNNING, heartbeat_at__gte=fresh)
    remote = executors.parse(executor)
    assert remote is not None  # noqa: S101 - the caller asks for no other
    found = list(alive.order_by("pk").values_list("kind", "queues", "measure__brokers"))
    broker = remote.broker
    refusals = [brokers[broker].get("error", "?") for _, _, brokers in found if broker in (brokers or {})]
    workers = sum(kind == remote.kind and remote.target in queues for kind, queues, _ in found)
    return RemoteQueue(workers=workers, refusal=refusals[0] if refusals else "")


def drain(*, node: Node, actor: str = "") -> Node:
    """
    Let the node take no more runs, from its next heartbeat on. Runs that it has begun go on, others go to other nodes.

    It stays alive and drained until it is ended, or until ``undrain``.

    :raises NodeStateUnchanged: it has ended, or is drained already
    """
    with database.atomic():
        stored = _running(node)
        if stored.drained_at is not None:
            raise NodeStateUnchanged(error_messages.NODE_IS_DRAINED(name=stored.name))
        stored.drained_at, stored.drained_by = database_now(), actor[:150]
        stored.save(update_fields=["drained_at", "drained_by"])
    return stored


def undrain(*, node: Node, actor: str = "") -> Node:
    """
    Let a drained node take runs again, from its next heartbeat on.

    :raises NodeStateUnchanged: it has ended, or is not drained
    """
    with database.atomic():
        stored = _running(node)
        if stored.drained_at is None:
            raise NodeStateUnchanged(error_messages.NODE_IS_NOT_DRAINED(name=stored.name))
        stored.drained_at, stored.drained_by = None, actor[:150]
        stored.save(update_fields=["drained_at", "drained_by"])
    return stored


def _running(node: Node) -> Node:
    """:raises NodeStateUnchanged: it has ended, or is a worker, to which its broker gives the runs"""
    if node.kind != NodeKind.NODE:
        raise NodeStateUnchanged(error_messages.WORKER_IS_NOT_DRAINED(name=node.name))
    stored = Node.objects.select_for_update(no_key=True).filter(pk=node.pk, state=NodeState.RUNNING).first()
    if stored is None:
        raise NodeStateUnchanged(error_messages.NODE_HAS_ENDED(name=node.name))
    return stored


def _skew(node: Node) -> float | None:
    measure: Any = getattr(node, "measure", None)
    return None if measure is None else (measure.clock_at - measure.reported_at).total_seconds()
