"""The thread pool: for tasks that wait for the network or the database."""

from __future__ import annotations

import queue
import threading

from scheduler.execution.pools import Deadline, Identity, Pool, Report
from scheduler.execution.runner import execute
from scheduler.store.runs import OwnedRun


class ThreadPool(Pool):
    """Threads of this process. A body that never returns keeps its thread."""

    def __init__(self, *, name: str, size: int, report: Report, identity: Identity) -> None:
        super().__init__(name=name, size=size, report=report)
        self._identity = identity
        self._queue: queue.SimpleQueue[OwnedRun | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._begun: dict[int, OwnedRun] = {}

    def _enqueue(self, run: OwnedRun) -> None:
        self._queue.put(run)

    def start(self) -> None:
        for number in range(self.size):
            thread = threading.Thread(target=self._work, name=f"{self.name}-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _work(self) -> None:
        while (run := self._queue.get()) is not None:
            self._begun[run.id] = run
            outcome = execute(run, node=self._identity.node)
            del self._begun[run.id]
            self._ended_run(run, outcome)

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
        for _ in self._threads:
            self._queue.put(None)
        deadline.join(self._threads)
        return list(self._begun.values())
