"""
Tracks: a waiting run is found by its executor and its queue together, written ``executor@queue``.

A scheduled run of the queue ``default`` has the bare name of its executor, as in earlier releases. Enqueued runs always
name their queue: a node of a release that does not know queues takes none of them, because it has no executor of that
name. Each track has a place of its own in the index of waiting runs, so that a long one does not slow the others.
"""

from __future__ import annotations

from collections.abc import Collection

from scheduler.core import error_messages
from scheduler.errors import InvalidQueue

DEFAULT_QUEUE = "default"
SEPARATOR = "@"

REMOTE = ":"
"""Between the kind of a remote executor and its target: ``celery:scrape``."""

LONGEST_NAME = 64
"""Characters of the name of a queue, and of an executor."""

LONGEST = 2 * LONGEST_NAME + len(SEPARATOR)


def of_job(*, executor: str, queue: str) -> str:
    """Return the track of a job's runs."""
    return executor if queue == DEFAULT_QUEUE else f"{executor}{SEPARATOR}{queue}"


def of_enqueued(*, executor: str, queue: str) -> str:
    """Return the track of an enqueued run."""
    return f"{executor}{SEPARATOR}{queue}"


def executor_of(track: str) -> str:
    return track.partition(SEPARATOR)[0]


def remote(kind: str, target: str) -> str:
    """Return the name of a remote executor."""
    return f"{kind}{REMOTE}{target}"


def is_remote(track: str) -> bool:
    """Return whether its runs wait for a worker outside of nodes."""
    return REMOTE in executor_of(track)


def queue_of(track: str) -> str:
    return track.partition(SEPARATOR)[2] or DEFAULT_QUEUE


def serves(queues: Collection[str], track: str) -> bool:
    """Return whether a node with these queues serves a track. Without any it serves all."""
    return not queues or queue_of(track) in queues


def checked_name(name: object) -> str:
    """
    Return the name of a queue.

    :raises InvalidQueue: it cannot be one
    """
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or SEPARATOR in name:
        raise InvalidQueue(error_messages.UNUSABLE_QUEUE(name=str(name)[:LONGEST_NAME], most=LONGEST_NAME))
    if name != name.strip() or not {".", ".."}.isdisjoint(name.split("/")):
        raise InvalidQueue(error_messages.UNUSABLE_QUEUE(name=name, most=LONGEST_NAME))
    return name
