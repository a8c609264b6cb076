"""A duty: something that a node does again and again, and when it wants to be called next."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

from scheduler.conf import SchedulerSettings
from scheduler.core.tasks.adapters import EndedRun
from scheduler.engine.events import Events
from scheduler.engine.heartbeat import Identity, Lease
from scheduler.engine.workload import Workload
from scheduler.store.claiming.positions import Positions
from scheduler.store.sessions.connections import Connection
from scheduler.store.sessions.notifications import Channel
from scheduler.untouched import time

AnyDuty = TypeVar("AnyDuty", bound="Duty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The parts of a node that its duties use. All duties are called in one thread and share one session."""

    identity: Identity
    settings: SchedulerSettings
    workload: Workload
    lease: Lease
    events: Events
    connection: Connection
    positions: Positions
    ringers: Bells
    ended: Callable[[Sequence[EndedRun]], object] = lambda _: None
    """Takes enqueued runs that end without a body."""


class Bells(Protocol):
    """Ring the brokers of remote executors, in threads of their own."""

    def wake(self, brokers: Iterable[str] = ()) -> None:
        """Runs of these brokers, and of those that were named before, may want to be rung."""


class Agenda(Protocol):
    """Finds the other duties of a node."""

    def duty(self, kind: type[AnyDuty]) -> AnyDuty: ...

    def ask(self, kind: type[Duty]) -> None:
        """Ask for a duty with ``soon``, where this node has it."""


class Duty(ABC):
    """
    One duty of one node. The loop calls ``run`` when it is due and sleeps until the earliest duty is due.

    A duty is due when its time has come, or when it was asked for with ``soon``: by a hint, by another duty or by
    another thread.
    """

    every_pass: ClassVar[bool] = False
    """Called in every pass of the loop. Such a duty ends a sleep only by the seconds that it returns."""

    ends_sleep: bool = True
    """Whether the loop wakes up for it. Otherwise it is called when the loop is awake anyway."""

    takes_runs: ClassVar[bool] = False
    """Whether it brings the node work. A drained node leaves such duties out."""

    wakes_on: ClassVar[Channel | None] = None
    """Hints from the database that ask for it."""

    def __init__(self, work: Work, agenda: Agenda) -> None:
        self.work = work
        self.agenda = agenda
        self.due_at = 0.0 if self.every_seconds < math.inf else math.inf
        """On the monotonic clock."""

        self.called_at = -math.inf
        self._is_wanted = False

    @property
    def every_seconds(self) -> float:
        """
        Seconds after a call until it is due again, unless ``run`` returns something else.

        Infinite: on request only.
        """
        return math.inf

    @property
    def merge_seconds(self) -> float:
        """
        Requests that come sooner after a call than this are served together, so that a flood of hints stays cheap.
        """
        return 0.0

    @abstractmethod
    def run(self) -> float | None:
        """Do it once. Return the seconds until it is due again, ``None`` for ``every_seconds``."""

    def soon(self) -> None:
        """Ask for a call in the present or the next pass. Safe in any thread."""
        self._is_wanted = True

    def hear(self, subject: str) -> None:
        """A hint from the database asks for it. ``subject``: see ``notifications.Hint``."""
        self.soon()

    def within(self, seconds: float) -> None:
        """Ask for a call in so many seconds at the latest."""
        self.due_at = min(self.due_at, time.monotonic() + seconds)

    def next_at(self) -> float:
        """Return when it is due, on the monotonic clock."""
        return min(self.due_at, self.called_at + self.merge_seconds) if self._is_wanted else self.due_at

    def is_due(self, now: float) -> bool:
        return self.every_pass or now >= self.next_at()

    def call(self, now: float) -> None:
        """Run. A call that fails is not repeated before its time, so that it cannot keep the other duties waiting."""
        # Put down before the work: another thread may ask again while it goes on.
        self._is_wanted = False
        self.called_at = now
        self.due_at = now + self.every_seconds
        seconds = self.run()
        if seconds is not None:
            self.due_at = time.monotonic() + seconds
