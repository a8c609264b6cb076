"""The process pool: for tasks that need a processor. One child, one pipe and one thread for each place."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import queue
import signal
import threading
import time
from multiprocessing.connection import wait

from django.conf import settings as django_settings

from scheduler.core.states import RunState
from scheduler.errors import SchedulerError
from scheduler.execution import child as child_process
from scheduler.execution.pools import Deadline, Identity, Pool, Report
from scheduler.store.runs import Outcome, OwnedRun

logger = logging.getLogger(__name__)

_spawn = multiprocessing.get_context("spawn")


class ChildDidNotStart(SchedulerError):
    """A child of the process pool ended before it was ready. Does Django start in a fresh process?"""


class ChildDied(SchedulerError):
    """The process of this run ended before the task returned."""


class Child:
    """One child process with a pipe of its own: when it dies, only its own run is concerned."""

    def __init__(self) -> None:
        self.runs = 0
        self._pipe, theirs = _spawn.Pipe()
        module = os.environ.get("DJANGO_SETTINGS_MODULE") or django_settings.SETTINGS_MODULE
        self._process = _spawn.Process(target=child_process.main, args=(theirs, module), daemon=True)
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

    def run(self, run: OwnedRun, *, node: str) -> Outcome:
        """:raises ChildDied: with its exit code or signal"""
        self.runs += 1
        try:
            self._pipe.send_bytes(child_process.encode_request(run, node=node))
            wait([self._pipe])
            return child_process.decode_outcome(self._pipe.recv_bytes())
        except (EOFError, OSError) as error:
            raise ChildDied(self._end()) from error

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        """End it and whatever it has started."""
        if self._process.pid is not None and self._process.is_alive():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()

    def close(self) -> None:
        """Close the pipe, upon which the child ends by itself; insist if it does not."""
        self._pipe.close()
        self._process.join(1)
        self.kill()
        self._process.join(1)

    def _end(self) -> str:
        self._process.join(1)
        code = self._process.exitcode
        if code is None:
            return "It closed its pipe and went on; it was killed."
        if code < 0:
            return f"The process was ended by signal {-code} ({signal.Signals(-code).name})."
        return f"The process ended with exit code {code}."


class ProcessPool(Pool):
    """Child processes that end with this one."""

    def __init__(self, *, name: str, size: int, report: Report, identity: Identity, runs_per_child: int) -> None:
        super().__init__(name=name, size=size, report=report)
        self._identity = identity
        self._runs_per_child = runs_per_child
        self._queue: queue.SimpleQueue[OwnedRun | None] = queue.SimpleQueue()
        self._begun: dict[int, OwnedRun] = {}
        self._children: dict[int, Child] = {}
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._killing = threading.Event()

    def _enqueue(self, run: OwnedRun) -> None:
        self._queue.put(run)

    def start(self) -> None:
        for number in range(self.size):
            thread = threading.Thread(target=self._work, args=(number,), name=f"{self.name}-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _work(self, place: int) -> None:
        while True:
            child = self._ready_child(place)
            run = self._queue.get() if child is not None else None
            if child is None or run is None:
                break
            self._begun[run.id] = run
            outcome = self._run(child, run)
            if self._killing.is_set():
                return  # the node reports this run as interrupted
            del self._begun[run.id]
            self._ended_run(run, outcome)
        child = self._children.pop(place, None)
        if child is not None:
            child.close()

    def _run(self, child: Child, run: OwnedRun) -> Outcome:
        started = time.monotonic_ns() // 1000
        try:
            return child.run(run, node=self._identity.node)
        except ChildDied as error:
            return Outcome(
                run_id=run.id,
                state=RunState.FAILED,
                started=started,
                finished=time.monotonic_ns() // 1000,
                error=f"ChildDied: {error}",
            )

    def _ready_child(self, place: int) -> Child | None:
        """Return the child of this place, a new one if it is worn out or dead; ``None``: the pool stops."""
        child = self._children.get(place)
        if child is not None and child.is_alive and child.runs < self._runs_per_child:
            return child
        if child is not None:
            child.close()
        pause = 0.5
        while not self._stopping.is_set():
            child = self._children[place] = Child()
            try:
                child.await_ready()
            except ChildDidNotStart as error:
                logger.error("scheduler.child.failed_to_start", extra={"executor": self.name, "error": str(error)})
                child.close()
                self._stopping.wait(pause)
                pause = min(pause * 2, 30.0)
            else:
                return child
        return None

    def take_back(self) -> list[OwnedRun]:
        runs = []
        while True:
            try:
                run = self._queue.get_nowait()
            except queue.Empty:
                break
            if run is not None:
                runs.append(run)
        self._submitted -= len(runs)
        return runs

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
        return list(self._begun.values())
