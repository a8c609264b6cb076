"""Queues: whether what waits gets its turn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from scheduler.core.health.check import Check, Limits, Status, duration, worst
from scheduler.core.health.standing import NodeView, QueueView, Standing, Waiting
from scheduler.core.queues import tracks
from scheduler.messages import Message, phrase, phrase_of, row

STALLED_FACTOR = 10
"""
Runs that wait this many times longer than they should, while the executor starts no run, are a failure instead of a
warning.
"""


def queue(found: Standing, limits: Limits) -> Check:
    """Runs that wait: for a place, for an executor that no node serves, for another run of their job, for a resume."""
    limit = limits.overdue_seconds
    sizes = _sizes(found.nodes)
    oldest = max((queue.longest or 0.0 for queue in found.queues), default=0.0)
    said: list[str] = []
    statuses = [Status.PASS]
    for queue in found.queues:
        if queue.oldest is not None and queue.oldest > limit:
            size = sizes.get(queue.executor, 0)
            said.append(_waiting(queue, size))
            statuses.append(_severity(queue, size=size, limit=limit))
        if queue.oldest_held is not None and queue.oldest_held > limit:
            said.append(_held(queue))
            statuses.append(Status.WARN)
        if queue.oldest_paused is not None and queue.oldest_paused > limit:
            said.append(_paused(queue))
            statuses.append(Status.WARN)
    for unserved in _unserved(found, limit=limit):
        said.append(_without_a_node(unserved))
        statuses.append(Status.FAIL)
    if not said:
        number = sum(queue.queued + queue.held for queue in found.queues)
        said.append(
            phrase_of("{number:,} run is queued.", "{number:,} runs are queued.", number=number)
            if number
            else phrase("No runs are queued.")
        )
    text = row(" ", said)
    return Check(name="queue", status=worst(statuses), text=text, value=oldest, limit=limit, unit="s")


def limits(found: Standing) -> Check:
    """Runs that wait for a limit of their task. They wait because somebody wanted it, so it is never a failure."""
    waiting = found.limited
    if waiting is None:
        return Check(name="limits", status=Status.PASS, text=phrase("No run waits for a limit."), value=0)
    text = phrase_of(
        "{number:,} run waits for a limit: “{limit}”, for {age}.",
        "{number:,} runs wait for limits, {most:,} of them for “{limit}”, the oldest of these for {age}.",
        number=waiting.all_runs,
        most=waiting.runs,
        limit=waiting.label,
        age=duration(waiting.oldest),
    )
    return Check(name="limits", status=Status.PASS, text=text, value=waiting.all_runs)


def brokers(found: Standing, limits: Limits) -> Check:
    """Brokers of remote executors: whether nodes can tell them of runs that wait."""
    refusing: dict[str, list[NodeView]] = {}
    ringing = [node for node in found.nodes if node.is_fresh and not node.is_worker]
    for node in ringing:
        for broker in node.brokers:
            refusing.setdefault(broker, []).append(node)
    if not refusing:
        return Check(name="brokers", status=Status.PASS, text=phrase("Brokers accept all messages."), value=0, limit=0)
    said = [
        phrase(
            "The broker “{broker}” refuses messages from {nodes}: {error}. Its runs wait, and other executors go on.",
            broker=broker,
            nodes=", ".join(node.name for node in nodes),
            error=nodes[0].brokers[broker].get("error", "").rstrip("."),
        )
        for broker, nodes in sorted(refusing.items())
    ]
    # A broker that restarts is away for a while, and where one node cannot reach it, another one may.
    is_cut_off = any(
        len(nodes) == len(ringing) and all(_refused_for(node, broker, found) > limits.overdue_seconds for node in nodes)
        for broker, nodes in refusing.items()
    )
    status = Status.FAIL if is_cut_off else Status.WARN
    return Check(name="brokers", status=status, text=row(" ", said), value=len(refusing), limit=0)


def _refused_for(node: NodeView, broker: str, found: Standing) -> float:
    """Return for how many seconds a broker has refused the messages of a node."""
    try:
        since = datetime.fromisoformat(node.brokers[broker]["since"])
        return (found.scheduling.now - since).total_seconds()
    except (KeyError, ValueError, TypeError):  # of another release
        return 0.0


def _severity(queue: Waiting, *, size: int, limit: float) -> Status:
    """A queue that moves is late. One that does not move, or that no node serves, has failed."""
    most = STALLED_FACTOR * limit
    is_still = queue.youngest_running is None or queue.youngest_running > most
    if not size or (queue.oldest is not None and queue.oldest > most and is_still):
        return Status.FAIL
    return Status.WARN


def _waiting(queue: Waiting, size: int) -> Message:
    runs = phrase_of(
        "{number:,} run waits in the queue of the executor “{executor}”, the oldest for {age}",
        "{number:,} runs wait in the queue of the executor “{executor}”, the oldest for {age}",
        number=queue.queued - queue.paused,
        executor=queue.executor,
        age=duration(queue.oldest or 0.0),
    )
    if not size and tracks.is_remote(queue.executor):
        return phrase("{runs}: no live worker serves it.", runs=runs)
    if not size:
        return phrase("{runs}: no live node serves this executor.", runs=runs)
    if queue.running >= size:
        return phrase(
            "{runs}: {busy} of {size} workers have been busy for {since}.",
            runs=runs,
            busy=queue.running,
            size=size,
            since=duration(queue.youngest_running or 0.0),
        )
    return phrase("{runs}: {busy} of {size} workers are busy.", runs=runs, busy=queue.running, size=size)


def _unserved(found: Standing, *, limit: float) -> list[QueueView]:
    """Return the queues in which runs wait and that no live node serves, while nodes are alive."""
    alive = [node for node in found.nodes if node.is_fresh and node.state == "running" and not node.is_worker]
    return [
        queue
        for queue in found.named_queues
        if alive and not queue.is_paused and queue.oldest is not None and queue.oldest > limit
        if not any(tracks.serves(node.queues, f"{tracks.SEPARATOR}{queue.name}") for node in alive)
    ]


def _without_a_node(queue: QueueView) -> Message:
    return phrase_of(
        "{number:,} run waits in “{queue}” for {age}: no live node serves this queue.",
        "{number:,} runs wait in “{queue}”, the oldest for {age}: no live node serves this queue.",
        number=queue.queued,
        queue=queue.name,
        age=duration(queue.oldest or 0.0),
    )


def _held(queue: Waiting) -> Message:
    return phrase_of(
        "{number:,} run waits for another run of its job to end, the oldest for {age}.",
        "{number:,} runs wait for other runs of their jobs to end, the oldest for {age}.",
        number=queue.held,
        age=duration(queue.oldest_held or 0.0),
    )


def _paused(queue: Waiting) -> Message:
    """A pause is wanted, and a forgotten one looks the same: it is a warning while due runs wait for its end."""
    return phrase_of(
        "{number:,} run waits in a paused queue ({queues}), for {age}.",
        "{number:,} runs wait in paused queues ({queues}), the oldest for {age}.",
        number=queue.paused,
        queues=", ".join(queue.paused_queues),
        age=duration(queue.oldest_paused or 0.0),
    )


def _sizes(nodes: Sequence[NodeView]) -> dict[str, int]:
    """The number of places of all nodes that take runs, by executor."""
    sizes: dict[str, int] = {}
    for node in nodes:
        if node.takes_runs:
            for name, size in node.places.items():
                sizes[name] = sizes.get(name, 0) + size
    return sizes
