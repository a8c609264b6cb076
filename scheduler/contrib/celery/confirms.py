"""Publisher confirms of RabbitMQ for a whole batch: one wait instead of one for each message."""

from __future__ import annotations

from typing import Any

from scheduler.untouched import time


class MessageRefused(OSError):
    """The broker did not accept a message."""


class Confirms:
    """The messages of one channel that its broker has not confirmed."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._sent = 0
        self._confirmed: set[int] = set()
        self._all_until = 0
        """All messages up to this number are confirmed."""

        channel.events["basic_ack"].add(self._note)
        channel.events["basic_nack"].add(self._refuse)
        channel.confirm_select()

    def wait(self, sent: int, *, deadline: float) -> None:
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
