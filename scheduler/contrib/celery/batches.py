"""One answer of the broker for a whole batch of messages, where its protocol allows that."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Protocol

from scheduler.untouched import json, time


class Batch(Protocol):
    """The methods of a channel beside publishing."""

    def finish(self, sent: int, *, deadline: float) -> None:
        """Return when the broker has this many further messages."""


def batch_of(channel: Any, *, driver: str) -> Batch:
    """Return how batches are sent through a channel of this kind of transport."""
    if driver == "amqp":
        return Confirms(channel)
    return Pushes(channel) if hasattr(channel, "conn_or_acquire") else Singles()


class Singles:
    """Each message was answered by itself."""

    def finish(self, sent: int, *, deadline: float) -> None:
        """Do nothing."""


class Pushes:
    """One push into each list of Valkey or Redis, where kombu's channel has one, and a new client, for each message."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._waiting: dict[str, list[str]] = defaultdict(list)
        channel._put = self._put

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        """Stand in for the method with which channels of kombu store a message."""
        self._waiting[queue].append(json.dumps(message))

    def finish(self, sent: int, *, deadline: float) -> None:
        """:raises redis.exceptions.RedisError: some of the messages may be there"""
        waiting, self._waiting = self._waiting, defaultdict(list)
        with self._channel.conn_or_acquire() as client:
            for queue, several in waiting.items():
                client.lpush(queue, *several)


class MessageRefused(OSError):
    """The broker did not accept a message."""


class Confirms:
    """Publisher confirms of RabbitMQ: the messages of one channel that the broker has not confirmed."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._sent = 0
        self._confirmed: set[int] = set()
        self._all_until = 0
        """All messages up to this number are confirmed."""

        channel.events["basic_ack"].add(self._note)
        channel.events["basic_nack"].add(self._refuse)
        channel.confirm_select()

    def finish(self, sent: int, *, deadline: float) -> None:
        """
        Wait until the broker has confirmed this many further messages.

        :raises MessageRefused, OSError: it did not, in time
        """
        self._sent += sent
        while self._all_until < self._sent:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{self._sent - self._all_until} messages were not confirmed in time.")
            self._channel.connection.drain_events(timeout=left)

    def _note(self, number: int, multiple: bool) -> None:
        if multiple:
            self._all_until = max(self._all_until, number)
        else:
            self._confirmed.add(number)
        while self._all_until + 1 in self._confirmed:
            self._all_until += 1
            self._confirmed.discard(self._all_until)

    def _refuse(self, number: int, multiple: bool) -> None:
        raise MessageRefused(f"Message {number} was refused.")
