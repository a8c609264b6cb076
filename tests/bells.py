"""A doorbell whose broker tests can break: what arrives is kept in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from scheduler.errors import BrokerUnavailable
from scheduler.remote import executors
from scheduler.remote.executors import KINDS, Kind, Ring


class Broker:
    """Takes messages, refuses them, or keeps the sender waiting."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Ring]] = []
        """The target and the message, in the order of arrival."""

        self.is_away = False
        self.forgets = False
        """Whether it accepts messages and delivers none."""

        self.calls = 0
        self.before: Callable[[], None] = lambda: None
        """Called before a batch arrives."""

        self.hangs = threading.Event()
        self.hangs.set()

    def runs(self) -> list[int]:
        return [ring.run for _, ring in self.messages]


_broker = Broker()


class Bell:
    """The doorbell of one target."""

    def __init__(self, target: str) -> None:
        self._target = target

    def check(self) -> None: ...

    def ring(self, rings: Sequence[Ring]) -> None:
        _broker.calls += 1
        _broker.before()
        _broker.hangs.wait()
        if _broker.is_away:
            raise BrokerUnavailable("redis://user:geheim@broker:6379 does not answer.")
        if not _broker.forgets:
            _broker.messages += [(self._target, ring) for ring in rings]


@contextmanager
def broker(kind: str = "celery") -> Iterator[Broker]:
    """Let the executors of a kind ring a broker of the test."""
    global _broker
    _broker = Broker()
    former = KINDS[kind]
    KINDS[kind] = Kind(
        adapter="tests.bells.Bell", requires=("django",), extra=kind, has_one_broker=former.has_one_broker
    )
    executors._made.cache_clear()
    try:
        yield _broker
    finally:
        _broker.hangs.set()
        KINDS[kind] = former
        executors._made.cache_clear()
