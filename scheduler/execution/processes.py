"""The process pool: for tasks that need a processor. One child, one pipe and one thread for each place."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection

from scheduler.conf import SchedulerSettings
from scheduler.core import reasons
from scheduler.core.states import RunState
from scheduler.execution.child_handle import Child, ChildDied, ChildNeverBegan
from scheduler.execution.pools import Deadline, Identity, Pool, PoolFactory, Publish, Report
from scheduler.execution.runner import now_microseconds, timeout_of
from scheduler.execution.values import clean
from scheduler.loops import spawn
from scheduler.messages import Message
from scheduler.store.recording.finishing import Note, Outcome
from scheduler.store.recording.runs import OwnedRun
from scheduler.telemetry import events

logger = logging.getLogger(__name__)


_TRIES = 3
"""Number of children that may die before one of them begins a run."""


class ProcessPool(Pool):
    """Child processes that end with this one. A run that is cancelled or too slow is ended with its process."""

    def __init__(
        self,
        *,
        name: str,
        size: int,
        report: Report,
        publish: Publish,
        identity: Identity,
        settings: SchedulerSettings,
    ) -> None:
        super().__init__(name=name, size=size, report=report, identity=identity)
        self._publish = publish
        self._runs_per_child = settings.runs_per_child
        self._memory_mb = settings.child_memory_mb
        self._grace = settings.timeout_grace_seconds
        self._begun: dict[int, tuple[OwnedRun, Child]] = {}
        self._children: dict[int, Child] = {}
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._killing = threading.Event()

    @classmethod
    def factory(cls, *, size: int, settings: SchedulerSettings) -> PoolFactory:
        """Return what makes such a pool for a node."""

        def make(name: str, report: Report, publish: Publish, identity: Identity) -> Pool:
            return cls(
                name=name,
                size=size,
                report=report,
                publish=publish,
                identity=identity,
                settings=settings,
            )

        return make

    def start(self) -> None:
        for number in range(self.size):
            self._threads.append(spawn(self._work, args=(number,), name=f"{self.name}-{number}"))

    def process_ids(self) -> Collection[int]:
        pids = (child.pid for child in tuple(self._children.values()))
        return tuple(pid for pid in pids if pid is not None)

    def begun(self) -> Collection[int]:
        return tuple(self._begun)

    def cancel(self, run_id: int) -> None:
        self._to_cancel.add(run_id)
        begun = self._begun.get(run_id)
        if begun is not None:
            begun[1].end_run(run_id)

    def end_overdue(self) -> None:
        """Each place watches its own run."""

    def stop(self, *, deadline: Deadline) -> list[OwnedRun]:
        self._stopping.set()
        for _ in self._threads:
            self._queue.put(None)
        deadline.join(self._threads)
        self._killing.set()
        for child in list(self._children.values()):
            child.kill()
        for thread in self._threads:
            thread.join(1)
        unbegun = self.take_back()  # first: a run that waits for its child is in both tables for a moment
        left = {run.id: run for run in (*unbegun, *(run for run, _ in tuple(self._begun.values())))}
        return list(left.values())

    def _work(self, place: int) -> None:
        with self._seated() as seat:
            while self._ready_child(place) is not None and (run := self._next()) is not None:
                seat.enter(run.id)
                if not self._run_to_its_end(place, run):
                    return  # the node accounts for this run
                seat.leave()
        child = self._children.pop(place, None)
        if child is not None:
            child.close()

    def _run_to_its_end(self, place: int, run: OwnedRun) -> bool:
        """Run a body and report it, unless somebody else accounts for its run. Return false if the pool stops."""
        outcome = self._outcome(place, run)
        if self._killing.is_set():
            return False
        if outcome is None:
            return run.id not in self._begun
        self._begun.pop(run.id, None)
        self._children[place].belongs_to(None)
        self._to_cancel.discard(run.id)
        self._ended_run(run, outcome)
        return True

    def _outcome(self, place: int, run: OwnedRun) -> Outcome | None:
        """Run a body in the child of this place. ``None``: another one accounts for its run, or the pool stops."""
        tries, node = _TRIES, self._identity.node
        while (child := self._child_for(place, run)) is not None:
            tries -= 1
            try:
                return self._run(child, run, node=node, may_try_again=tries > 0)
            except ChildNeverBegan as died:
                logger.warning(events.CHILD_NEVER_BEGAN, extra={"run": run.id, "error": str(died)})
            except Exception as fault:  # what a child answers is anybody's, and must not cost the pool a place
                logger.exception(events.CHILD_ANSWERED_NONSENSE, extra={"run": run.id})
                child.kill()
                return _unusable(run, fault, node=node)
        return None

    def _child_for(self, place: int, run: OwnedRun) -> Child | None:
        """
        Return the child of this place, which belongs to the run from now on. It may have died while it was idle.

        While another one starts, the run waits as it did before, so that it can be cancelled or taken back. ``None``:
        it was, or the pool stops.
        """
        former = self._children[place]
        if self._is_fit(former):
            former.belongs_to(run.id)
            self._begun[run.id] = (run, former)
            return former
        ticket = self._wait(run)
        self._begun.pop(run.id, None)
        child = self._ready_child(place)
        if child is not None:
            child.belongs_to(run.id)
        self._begun[run.id] = (run, child or former)
        if self._waiting.pop(ticket, None) is None:
            self._begun.pop(run.id, None)
            return None
        return child

    def _is_fit(self, child: Child | None) -> bool:
        return child is not None and child.is_alive and child.runs < self._runs_per_child

    def _run(self, child: Child, run: OwnedRun, *, node: str, may_try_again: bool) -> Outcome:
        """:raises ChildNeverBegan: only if it may be tried again"""
        started = now_microseconds()
        last = Note(run_id=run.id, progress=None, log="")

        def publish(note: Note) -> None:
            nonlocal last
            last = note
            self._publish(note)

        state, error = RunState.CANCELLED, None
        reason: Message | None = reasons.CANCELLED_BEFORE_IT_BEGAN()
        if run.id not in self._to_cancel:
            timeout = timeout_of(run)
            try:
                outcome = child.run(run, node=node, timeout=timeout, publish=publish, grace_seconds=self._grace)
            except ChildDied as died:
                if run.id in self._to_cancel:
                    reason = reasons.PROCESS_ENDED()
                elif isinstance(died, ChildNeverBegan) and may_try_again:
                    raise
                else:
                    state, error, reason = RunState.FAILED, f"ChildDied: {died}", None
            else:
                if outcome is not None:
                    return outcome
                child.kill()
                state, reason = RunState.TIMED_OUT, reasons.TIMED_OUT_PROCESS(seconds=timeout)
                error = f"TimedOut: {reason}"
        return Outcome(
            run_id=run.id,
            state=state,
            started=started,
            finished=now_microseconds(),
            error=error,
            reason=reason,
            log=last.log,
            progress=last.progress,
            node=node,
        )

    def _ready_child(self, place: int) -> Child | None:
        """Return the child of this place, a new one if it is worn out or dead, or ``None`` if the pool stops."""
        child = self._children.get(place)
        if self._is_fit(child):
            return child
        if child is not None:
            child.close()
        pause = 0.5
        while not self._stopping.is_set():
            child = None
            try:
                child = self._children[place] = Child(memory_mb=self._memory_mb)
                child.await_ready()
            except Exception as error:  # noqa: BLE001 - whatever it is, the pool must not lose the place
                logger.error(events.CHILD_FAILED_TO_START, extra={"executor": self.name, "error": str(error)})
                if child is not None:
                    child.close()
                self._stopping.wait(pause)
                pause = min(pause * 2, 30.0)
            else:
                return child
        return None


def _unusable(run: OwnedRun, fault: Exception, *, node: str) -> Outcome:
    now = now_microseconds()
    error = f"ChildDied: The answer of its process cannot be used ({type(fault).__name__}: {fault})."
    return Outcome(
        run_id=run.id, state=RunState.FAILED, started=now, finished=now, error=clean(error)[:2000], node=node
    )
