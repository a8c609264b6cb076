"""The interface of executors to the engine, and the amount of work that they have room for."""

from __future__ import annotations

import itertools
import logging
import math
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from scheduler.core import reasons
from scheduler.core.states import RunState
from scheduler.execution.runner import now_microseconds
from scheduler.execution.vital_signs import NoSeat, Seat, VitalSigns
from scheduler.loops import Periodic, spawn
from scheduler.store.recording.finishing import Note, Outcome
from scheduler.store.recording.runs import OwnedRun
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
"""Interval at which runs are compared with their timeouts."""

NO_MEMORY_SECONDS = 0.5
"""The pause of a thread that has no memory to report with."""

Report = Callable[[OwnedRun, Outcome], None]
"""Called by the executor, in any thread, once for each run that ended."""


Publish = Callable[[Note], None]
"""Called by the executor, in any thread, when a run that still runs has something to show."""


class Identity(Protocol):
    """The current id of this node."""

    @property
    def node(self) -> str: ...


PoolFactory = Callable[[str, Report, Publish, Identity], "Pool"]
"""Makes the pool of an executor, given its name, whom to report and to show things to, and who the node is."""


class Deadline:
    """Until when stopping may wait: a time, or the moment somebody is in a hurry."""

    def __init__(self, *, seconds: float, hurry: threading.Event) -> None:
        self._at = time.monotonic() + seconds
        self._hurry = hurry

    def join(self, threads: Iterable[threading.Thread]) -> None:
        """Wait for threads to end, no longer than allowed."""
        for thread in threads:
            while thread.is_alive() and not self._hurry.is_set() and time.monotonic() < self._at:
                thread.join(min(0.1, max(0.0, self._at - time.monotonic())))


class Flow:
    """The rate at which a pool drains: an estimate that rises at once and fades within a second."""

    def __init__(self) -> None:
        self._finished = 0
        self._seen = 0
        self._seen_at = time.monotonic()
        self._rate = 0.0

    def finished(self) -> None:
        # Several threads count without a lock: the sum is an estimate, and a lost one does no harm.
        self._finished += 1

    def rate(self) -> float:
        """Return the runs per second."""
        now = time.monotonic()
        elapsed = now - self._seen_at
        if elapsed >= 0.002:
            finished = self._finished
            current = (finished - self._seen) / elapsed
            self._rate = max(current, self._rate * math.exp(-elapsed))
            self._seen, self._seen_at = finished, now
        return self._rate


class Pool(ABC):
    """An executor of this node: runs bodies, a bounded number at once."""

    def __init__(self, *, name: str, size: int, report: Report, identity: Identity) -> None:
        self.name = name
        self.size = size
        self._report = report
        self._identity = identity
        self._flow = Flow()
        self._queue: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        """The tickets of submitted runs. ``None`` ends a worker."""

        self._tickets = itertools.count()
        self._waiting: dict[int, OwnedRun] = {}
        """Runs that wait for a place, by ticket. Whoever takes one out accounts for it, and no other does."""

        self._to_cancel: set[int] = set()
        self._submitted = 0
        self._ended = 0
        self._count = threading.Lock()
        self.signs: VitalSigns | None = None
        """Where its threads show the runs that they work on, set before it starts."""

    @property
    def busy(self) -> int:
        """Runs that were submitted and have not ended, begun or not."""
        return self._submitted - self._ended

    @property
    def places(self) -> int:
        """Number of runs that it can have at once now. Less than its size while places are lost."""
        return self.size

    def process_ids(self) -> Collection[int]:
        """Return the ids of the child processes that live now."""
        return ()

    def wants(self, *, ahead_seconds: float) -> int:
        """Number of runs to submit now: the free places, and those that drain within ``ahead_seconds``."""
        return max(0, self.capacity(prefetch_seconds=ahead_seconds) - self.busy)

    def runs_dry(self, *, ahead_seconds: float) -> bool:
        """Return whether a place is free, or less than half is left of what it drains within ``ahead_seconds``."""
        busy, places = self.busy, self.places
        return busy < places or (places > 0 and busy <= self.capacity(prefetch_seconds=ahead_seconds) // 2)

    def capacity(self, *, prefetch_seconds: float) -> int:
        """Number of runs that the node may own for this pool: its places, and those that drain in the prefetch time."""
        places = self.places
        return places + int(self._flow.rate() * prefetch_seconds) if places else 0

    def submit(self, run: OwnedRun) -> None:
        """Queue a run whose body may begin now."""
        self._submitted += 1
        self._queue.put(self._wait(run))

    def take_back(self) -> list[OwnedRun]:
        """Remove and return the submitted runs whose bodies have not begun."""
        found = (self._waiting.pop(ticket, None) for ticket in tuple(self._waiting))
        runs = [run for run in found if run is not None]
        self._submitted -= len(runs)
        return runs

    def end_cancelled(self) -> None:
        """Report runs that were cancelled while they waited for a place. Called several times a second."""
        if not self._to_cancel:
            return
        for ticket, run in tuple(self._waiting.items()):
            if run.id in self._to_cancel and self._waiting.pop(ticket, None) is not None:
                self._to_cancel.discard(run.id)
                self._ended_run(run, cancelled_before_it_began(run, node=self._identity.node))

    def _wait(self, run: OwnedRun) -> int:
        """Let a run wait for a place, and return its ticket."""
        ticket = next(self._tickets)
        self._waiting[ticket] = run
        return ticket

    def _next(self) -> OwnedRun | None:
        """Wait for a run and take it up. ``None``: the worker ends."""
        while (ticket := self._queue.get()) is not None:
            run = self._waiting.pop(ticket, None)
            if run is not None:  # else it was cancelled or taken back meanwhile
                return run
        return None

    def _ended_run(self, run: OwnedRun, outcome: Outcome) -> None:
        with self._count:
            self._ended += 1
        self._flow.finished()
        try:
            self._report(run, outcome)
        except MemoryError:  # what the run said may be what takes the memory: how it ended is kept
            self._report_briefly(run, outcome)

    def _report_briefly(self, run: OwnedRun, outcome: Outcome) -> None:
        while True:
            try:
                self._report(run, outcome._replace(result=None, traceback="", log="", value=None))
            except MemoryError:  # another body may have taken it all, and ends some time
                time.sleep(NO_MEMORY_SECONDS)
            else:
                return

    @contextmanager
    def _seated(self) -> Iterator[Seat]:
        """Give the caller's thread a place among the vital signs."""
        seat = NoSeat() if self.signs is None else self.signs.seat()
        try:
            yield seat
        finally:
            if self.signs is not None:
                self.signs.give_back(seat)

    @abstractmethod
    def begun(self) -> Collection[int]:
        """Return the ids of the runs whose bodies run."""

    def living(self) -> Collection[int]:
        """Return the runs with a body that lives here, be it recorded already: they are not begun a second time."""
        return self.begun()

    @property
    def stuck(self) -> int:
        """Threads whose run has timed out and whose code still goes on."""
        return 0

    @abstractmethod
    def cancel(self, run_id: int) -> None:
        """
        Tell a submitted run to end: at once where its executor can, else as soon as its code looks.

        One that waits for a place ends with ``end_cancelled``.
        """

    @abstractmethod
    def end_overdue(self) -> None:
        """Report runs that have passed their timeout. Called several times a second."""

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self, *, deadline: Deadline) -> list[OwnedRun]:
        """Wait for the bodies that run until the deadline, and return the runs that did not end."""


class Timekeeper(Periodic):
    """Compares runs with their timeouts, and ends those that were cancelled while they waited for a place."""

    def __init__(self, *, pools: Iterable[Pool]) -> None:
        super().__init__(name="scheduler-timekeeper", fault=events.TIMEKEEPER_FAILED, seconds=_LOOK_SECONDS)
        self._pools = tuple(pools)

    def do(self) -> None:
        for pool in self._pools:
            try:
                pool.end_cancelled()
                pool.end_overdue()
            except Exception:  # one executor must not keep the others from their timeouts
                logger.exception(events.TIMEKEEPER_FAILED, extra={"executor": pool.name})


def cancelled_before_it_began(run: OwnedRun, *, node: str) -> Outcome:
    now = now_microseconds()
    return Outcome(
        run_id=run.id,
        state=RunState.CANCELLED,
        started=now,
        finished=now,
        reason=reasons.CANCELLED_BEFORE_IT_BEGAN(),
        node=node,
    )


def stop_all(pools: Iterable[Pool], *, deadline: Deadline) -> list[OwnedRun]:
    """Stop pools side by side and return the runs that did not end."""
    left: list[OwnedRun] = []
    threads = [
        spawn(lambda pool=pool: left.extend(pool.stop(deadline=deadline)), name=f"stop-{pool.name}") for pool in pools
    ]
    for thread in threads:
        thread.join()
    return left
