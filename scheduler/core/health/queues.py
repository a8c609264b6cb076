"""Queues: whether what waits gets its turn."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.core.health.check import Check, Limits, Status, duration, worst
from scheduler.core.health.standing import NodeView, Standing, Waiting
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
    number = sum(limit.runs for limit in found.limits)
    if not number:
        return Check(name="limits", status=Status.PASS, text=phrase("No run waits for a limit."), value=0)
    text = phrase_of(
        "{number:,} run waits for a limit: “{limit}”, for {age}.",
        "{number:,} runs wait for limits, {most:,} of them for “{limit}”, the oldest of these for {age}.",
        number=number,
        most=found.limits[0].runs,
        limit=found.limits[0].label,
        age=duration(found.limits[0].oldest),
    )
    return Check(name="limits", status=Status.PASS, text=text, value=number)


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
            for name, size in node.executors.items():
                sizes[name] = sizes.get(name, 0) + size
    return sizes
