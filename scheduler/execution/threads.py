"""The thread pool: for tasks that wait for the network or the database."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import traceback
from collections.abc import Collection
from typing import NamedTuple

from scheduler.conf import SchedulerSettings
from scheduler.context import CurrentRun, StopReason
from scheduler.core import reasons
from scheduler.core.states import RunState
from scheduler.execution.pools import (
    NO_MEMORY_SECONDS,
    Deadline,
    Identity,
    Pool,
    PoolFactory,
    Publish,
    Report,
    cancelled_before_it_began,
)
from scheduler.execution.runner import begin, execute, note_of, now_microseconds, progress_of, timeout_of
from scheduler.execution.values import clean, cut_middle
from scheduler.loops import spawn
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.runs import OwnedRun
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)


class _Begun(NamedTuple):
    """A body that runs. The thread that removes it from the pool's table reports its outcome, and no other does."""

    run: OwnedRun
    current: CurrentRun
    thread: int
    started: int
    ends_at: float | None
    """On the monotonic clock."""


class ThreadPool(Pool):
    """
    Threads of this process.

    Threads cannot be killed. A run that passes its timeout is recorded as timed out, its code is asked to stop, its
    thread is replaced by a new one, and its later return value is ignored.
    """

    def __init__(
        self, *, name: str, size: int, report: Report, publish: Publish, identity: Identity, max_stuck: int
    ) -> None:
        super().__init__(name=name, size=size, report=report, identity=identity)
        self._publish = publish
        self._max_stuck = max_stuck
        self._threads: list[threading.Thread] = []
        self._begun: dict[int, _Begun] = {}
        self._stuck: dict[int, int] = {}
        """The run that keeps each thread that is stuck."""

        self._numbers = 0
        self._vacant = 0
        """Places of stuck threads that got no successor: the first thread that comes back takes one."""

        self._changing_places = threading.Lock()

    @classmethod
    def factory(cls, *, size: int, settings: SchedulerSettings) -> PoolFactory:
        """Return what makes such a pool for a node."""
        max_stuck = settings.max_stuck_threads

        def make(name: str, report: Report, publish: Publish, identity: Identity) -> Pool:
            return cls(name=name, size=size, report=report, publish=publish, identity=identity, max_stuck=max_stuck)

        return make

    @property
    def stuck(self) -> int:
        return len(self._stuck)

    @property
    def places(self) -> int:
        return self.size - self._vacant

    def start(self) -> None:
        for _ in range(self.size):
            if not self._add_thread():
                self._vacant += 1

    def begun(self) -> Collection[int]:
        return tuple(self._begun)

    def living(self) -> Collection[int]:
        return {*tuple(self._begun), *tuple(self._stuck.values())}

    def cancel(self, run_id: int) -> None:
        self._to_cancel.add(run_id)  # first: a thread that takes it up in this moment looks there
        begun = self._begun.get(run_id)
        if begun is not None:
            begun.current.stop(StopReason.CANCELLED)

    def end_overdue(self) -> None:
        now = time.monotonic()
        for begun in list(self._begun.values()):
            if begun.ends_at is not None and now >= begun.ends_at and self._take_out(begun):
                self._time_out(begun)

    def stop(self, *, deadline: Deadline) -> list[OwnedRun]:
        for _ in self._threads:
            self._queue.put(None)
        deadline.join([thread for thread in self._threads if thread.ident not in self._stuck])
        left = [self._begun.pop(run_id, None) for run_id in list(self._begun)]
        for begun in left:
            if begun is not None:
                begun.current.stop(StopReason.INTERRUPTED)
        return [begun.run for begun in left if begun is not None]

    def _add_thread(self) -> bool:
        """Return whether the system had room for another one."""
        self._numbers += 1
        try:
            thread = spawn(self._work, name=f"{self.name}-{self._numbers}")
        except RuntimeError as error:
            logger.warning(events.POOL_NO_THREAD, extra={"executor": self.name, "error": str(error)})
            return False
        self._threads = [*(known for known in self._threads if known.is_alive()), thread]
        return True

    def _work(self) -> None:
        thread = threading.get_native_id()
        with self._seated() as seat:
            while (run := self._next()) is not None:
                seat.enter(run.id, thread=thread)
                try:
                    goes_on = self._run(run)
                except BaseException as fault:  # noqa: BLE001 - as without memory for an outcome: the place is needed
                    goes_on = self._survive(run, fault)
                seat.leave()
                if not goes_on:
                    return

    def _run(self, run: OwnedRun) -> bool:
        """Run one body. Return false if it was reported without this thread, which has a successor."""
        thread = threading.get_ident()
        current = begin(run, node=self._identity.node, publish=self._publish_note)
        timeout = timeout_of(run)
        self._begun[run.id] = _Begun(
            run=run,
            current=current,
            thread=thread,
            started=now_microseconds(),
            ends_at=None if timeout is None else time.monotonic() + timeout,
        )
        if run.id in self._to_cancel:
            current.stop(StopReason.CANCELLED)
            outcome = cancelled_before_it_began(run, node=current.node)
        else:
            outcome = execute(run, current)
        if self._to_cancel:
            self._to_cancel.discard(run.id)
        if self._begun.pop(run.id, None) is None:
            return self._comes_back(thread)
        self._ended_run(run, outcome)
        return True

    def _survive(self, run: OwnedRun, fault: BaseException) -> bool:
        """Report a run that this thread could not run to its end. Return false if the thread has a successor."""
        with contextlib.suppress(Exception):  # there may be no memory left to log it
            logger.error(events.POOL_FAULT, extra={"executor": self.name, "run": run.id}, exc_info=fault)
        begun, outcome = self._begun.get(run.id), None
        node = self._identity.node if begun is None else begun.current.node
        while outcome is None:
            try:
                outcome = _abandoned(run, fault, node=node)
            except MemoryError:  # another body may have taken it all, and ends some time
                time.sleep(NO_MEMORY_SECONDS)
        thread = threading.get_ident()
        if self._begun.pop(run.id, None) is None and thread in self._stuck:
            return self._comes_back(thread)
        self._ended_run(run, outcome)
        return True

    def _comes_back(self, thread: int) -> bool:
        """Say whether a thread that was stuck has a place to go on in."""
        with self._changing_places:
            self._stuck.pop(thread, None)
            if not self._vacant:
                return False
            self._vacant -= 1
        logger.warning(events.POOL_GROWS_AGAIN, extra={"executor": self.name, "places": self.places})
        return True

    def _publish_note(self, current: CurrentRun) -> None:
        if current.run_id in self._begun:
            self._publish(note_of(current))

    def _take_out(self, begun: _Begun) -> bool:
        """Mark its thread as stuck. Return false if it has just ended by itself."""
        with self._changing_places:
            if self._begun.pop(begun.run.id, None) is None:
                return False
            self._stuck[begun.thread] = begun.run.id
            return True

    def _time_out(self, begun: _Begun) -> None:
        where = _stack_of(begun.thread)
        with self._changing_places:
            is_vacant = len(self._stuck) > self._max_stuck
            self._vacant += is_vacant
        begun.current.stop(StopReason.TIMED_OUT)
        if not is_vacant and not self._add_thread():
            with self._changing_places:
                is_vacant = True
                self._vacant += 1
        if is_vacant:
            logger.error(events.POOL_SHRINKS, extra={"executor": self.name, "stuck": len(self._stuck)})
        reason = reasons.TIMED_OUT(seconds=timeout_of(begun.run))
        logbook = begun.current.logbook
        self._ended_run(
            begun.run,
            Outcome(
                run_id=begun.run.id,
                state=RunState.TIMED_OUT,
                started=begun.started,
                finished=now_microseconds(),
                error=f"TimedOut: {reason}",
                reason=reason,
                traceback=clean(cut_middle(where, limit=32_768)),
                log=logbook.text() if logbook is not None else "",
                progress=progress_of(begun.current),
                node=begun.current.node,
            ),
        )


def _abandoned(run: OwnedRun, fault: BaseException, *, node: str) -> Outcome:
    now = now_microseconds()
    error = f"{type(fault).__name__}: its thread could not go on."
    return Outcome(run_id=run.id, state=RunState.FAILED, started=now, finished=now, error=error, node=node)


def _stack_of(thread: int) -> str:
    frame = sys._current_frames().get(thread)
    return "" if frame is None else "Where it was then:\n" + "".join(traceback.format_stack(frame))
