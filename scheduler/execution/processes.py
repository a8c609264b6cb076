"""The process pool: for tasks that need a processor. One child, one pipe and one thread for each place."""

from __future__ import annotations

import contextlib
import logging
import math
import multiprocessing
import multiprocessing.spawn
import os
import signal
import struct
import threading
import time
from collections.abc import Callable, Collection, Iterator
from multiprocessing.connection import wait
from typing import Any

from django.conf import settings as django_settings

from scheduler.core import reasons
from scheduler.core.states import RunState
from scheduler.core.tasks.registry import registry
from scheduler.errors import SchedulerError
from scheduler.execution import child as child_process
from scheduler.execution.pools import Deadline, Identity, Pool, Publish, Report
from scheduler.execution.runner import now_microseconds, timeout_of
from scheduler.execution.values import clean
from scheduler.loops import spawn
from scheduler.messages import Message
from scheduler.store.recording.runs import Note, Outcome, OwnedRun
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

_spawn = multiprocessing.get_context("spawn")
_starting = threading.local()

_LOOK_SECONDS = 1.0
"""Interval between two checks of a silent child."""

_STALL_SECONDS = 5.0
"""A message that stops in its middle for so long is none."""

_MOST_BYTES = 256 * 1024 * 1024
"""More than the longest log, result and traceback take that a setting allows for in practice."""

_TRIES = 3
"""Number of children that may die before one of them begins a run."""


class ChildDidNotStart(SchedulerError):
    """A child of the process pool ended before it was ready. Does Django start in a fresh process?"""


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """
    Let this thread start processes that do not run the main module once more, unless it has tasks.

    A script without an ``if __name__ == "__main__"`` would start its scheduler in each child again.
    """
    _starting.without_main = all(task.function.__module__ != "__main__" for task in registry.all())
    try:
        yield
    finally:
        _starting.without_main = False


def _preparation_data(name: str) -> dict[str, Any]:
    """As ``multiprocessing.spawn`` has it, for processes of others as well."""
    data = _all_preparation_data(name)
    if getattr(_starting, "without_main", False):
        data.pop("init_main_from_name", None)
        data.pop("init_main_from_path", None)
    return data


_all_preparation_data = multiprocessing.spawn.get_preparation_data
multiprocessing.spawn.get_preparation_data = _preparation_data


class ChildDied(SchedulerError):
    """The process of this run ended before the task returned."""


class ChildNeverBegan(ChildDied):
    """The process ended before it took the run up: another one may."""


class ChildTalkedNonsense(SchedulerError):
    """The process of this run wrote something else into its pipe than answers."""


class Child:
    """One child process with a pipe of its own: when it dies, only its own run is concerned."""

    def __init__(self, *, memory_mb: int | None) -> None:
        self.runs = 0
        self._was_killed = False
        self._run_id: int | None = None
        self._changing_runs = threading.Lock()
        self._pipe, theirs = _spawn.Pipe()
        module = os.environ.get("DJANGO_SETTINGS_MODULE") or django_settings.SETTINGS_MODULE
        self._process = _spawn.Process(target=child_process.main, args=(theirs, module, memory_mb), daemon=True)
        with _without_main():
            self._process.start()
        theirs.close()

    def await_ready(self) -> None:
        """:raises ChildDidNotStart: with its exit code"""
        try:
            if self._pipe.recv_bytes() == child_process.READY:
                return
        except (EOFError, OSError):
            pass
        raise ChildDidNotStart(f"{ChildDidNotStart.__doc__} {self._end()}")

    def belongs_to(self, run_id: int | None) -> None:
        """Note the run that the child belongs to from now on, or ``None`` if it is free."""
        with self._changing_runs:
            self._run_id = run_id

    def end_run(self, run_id: int) -> None:
        """End the child if it is still this run's: it may have taken another one up since somebody looked."""
        with self._changing_runs:
            if self._run_id == run_id:
                self.kill()

    def run(
        self, run: OwnedRun, *, node: str, timeout: float | None, publish: Callable[[Note], None]
    ) -> Outcome | None:
        """
        Run a body and return its outcome, or ``None`` if the timeout is over and the body goes on.

        :raises ChildNeverBegan: the task was not called
        :raises ChildDied: with its exit code or signal
        """
        self.runs += 1
        ends_at = None if timeout is None else time.monotonic() + timeout
        has_begun = False
        try:
            self._pipe.send_bytes(child_process.encode_request(run, node=node))
            while self._has_answer(ends_at=ends_at):
                message = self._receive()
                if message == child_process.BEGUN:
                    has_begun = True
                    continue
                answer = child_process.decode_answer(message)
                if answer.run_id != run.id:
                    # What a task left behind, a copy of its process or a thread, speaks for a run that is over.
                    logger.warning(events.CHILD_ANSWERED_FOR_ANOTHER_RUN, extra={"run": run.id})
                elif isinstance(answer, Outcome):
                    return answer
                else:
                    publish(answer)
        except (EOFError, OSError) as error:
            raise (ChildDied if has_begun else ChildNeverBegan)(self._end()) from error
        return None

    def _receive(self) -> bytes:
        """
        Read one message as ``send_bytes`` writes it: its size, and so many bytes.

        A task may write anything into the pipe. Bytes that are not a whole message are rejected.

        :raises EOFError: the pipe is closed
        :raises ChildTalkedNonsense: it is not a message
        """
        (size,) = struct.unpack("!i", self._read(4))
        if not 0 <= size <= _MOST_BYTES:
            raise ChildTalkedNonsense(f"{ChildTalkedNonsense.__doc__} A message of {size} bytes was announced.")
        return self._read(size)

    def _read(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            if not wait([self._pipe], _STALL_SECONDS):
                raise ChildTalkedNonsense(f"{ChildTalkedNonsense.__doc__} It stopped in the middle of a message.")
            part = os.read(self._pipe.fileno(), min(size - len(parts), 2**20))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def _has_answer(self, *, ends_at: float | None) -> bool:
        """
        Wait until the child sends something.

        Return false when the time is over. A copy of itself that a dying child leaves behind keeps its pipe open. So
        the process is checked as well.

        :raises EOFError: it is dead
        """
        while True:
            left = math.inf if ends_at is None else max(0.0, ends_at - time.monotonic())
            if wait([self._pipe], min(left, _LOOK_SECONDS)):
                return True
            if left <= _LOOK_SECONDS:
                return False
            if not self._process.is_alive() and not self._pipe.poll():
                raise EOFError

    @property
    def is_alive(self) -> bool:
        # One that was killed may take a moment to die, and must not get another run meanwhile.
        return not self._was_killed and self._process.is_alive()

    def kill(self) -> None:
        """End it and whatever it has started."""
        self._was_killed = True
        if self._process.is_alive():
            self._end_group()
            self._process.kill()

    def _end_group(self) -> None:
        """
        End the processes that its tasks started.

        Call it only while the child lives or has just died, so that its number still is its own.
        """
        if self._process.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the pipe, upon which the child ends by itself, and kill it if it does not."""
        self._pipe.close()
        self._process.join(1)
        self.kill()
        self._process.join(1)

    def _end(self) -> str:
        self._end_group()
        self._process.join(1)
        code = self._process.exitcode
        if code is None:
            return "It closed its pipe and went on; it was killed."
        if code < 0:
            return f"The process was ended by signal {-code} ({signal.Signals(-code).name})."
        return f"The process ended with exit code {code}."


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
        runs_per_child: int,
        memory_mb: int | None,
    ) -> None:
        super().__init__(name=name, size=size, report=report)
        self._identity = identity
        self._publish = publish
        self._runs_per_child = runs_per_child
        self._memory_mb = memory_mb
        self._begun: dict[int, tuple[OwnedRun, Child]] = {}
        self._children: dict[int, Child] = {}
        self._threads: list[threading.Thread] = []
        self._to_cancel: set[int] = set()
        self._stopping = threading.Event()
        self._killing = threading.Event()

    def start(self) -> None:
        for number in range(self.size):
            self._threads.append(spawn(self._work, args=(number,), name=f"{self.name}-{number}"))

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
        return [run for run, _ in self._begun.values()]

    def _work(self, place: int) -> None:
        while True:
            child = self._ready_child(place)
            run = self._queue.get() if child is not None else None
            if child is None or run is None:
                break
            self._begun[run.id] = (run, child)
            outcome = self._outcome(place, run)
            if outcome is None or self._killing.is_set():
                return  # the node accounts for this run
            self._begun.pop(run.id)[1].belongs_to(None)
            self._to_cancel.discard(run.id)
            self._ended_run(run, outcome)
        child = self._children.pop(place, None)
        if child is not None:
            child.close()

    def _outcome(self, place: int, run: OwnedRun) -> Outcome | None:
        """Run a body in the child of this place. Return ``None`` if the pool stops."""
        tries = _TRIES
        while (child := self._ready_child(place)) is not None:  # it may have died while it was idle
            child.belongs_to(run.id)
            self._begun[run.id] = (run, child)
            tries -= 1
            try:
                return self._run(child, run, may_try_again=tries > 0)
            except ChildNeverBegan as died:
                logger.warning(events.CHILD_NEVER_BEGAN, extra={"run": run.id, "error": str(died)})
            except Exception as fault:  # what a child answers is anybody's, and must not cost the pool a place
                logger.exception(events.CHILD_ANSWERED_NONSENSE, extra={"run": run.id})
                child.kill()
                return _unusable(run, fault)
        return None

    def _run(self, child: Child, run: OwnedRun, *, may_try_again: bool) -> Outcome:
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
                outcome = child.run(run, node=self._identity.node, timeout=timeout, publish=publish)
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
        )

    def _ready_child(self, place: int) -> Child | None:
        """Return the child of this place, a new one if it is worn out or dead, or ``None`` if the pool stops."""
        child = self._children.get(place)
        if child is not None and child.is_alive and child.runs < self._runs_per_child:
            return child
        if child is not None:
            child.close()
        pause = 0.5
        while not self._stopping.is_set():
            child = None
            try:
                child = self._children[place] = Child(memory_mb=self._memory_mb)
                child.await_ready()
            except (ChildDidNotStart, OSError) as error:  # the system may have no room for another process
                logger.error(events.CHILD_FAILED_TO_START, extra={"executor": self.name, "error": str(error)})
                if child is not None:
                    child.close()
                self._stopping.wait(pause)
                pause = min(pause * 2, 30.0)
            else:
                return child
        return None


def _unusable(run: OwnedRun, fault: Exception) -> Outcome:
    now = now_microseconds()
    error = f"ChildDied: What its process answered cannot be used ({type(fault).__name__}: {fault})."
    return Outcome(run_id=run.id, state=RunState.FAILED, started=now, finished=now, error=clean(error)[:2000])
