"""Workers inside the processes of other backends: one for each process and backend, from the first ring on."""

from __future__ import annotations

import atexit
import dataclasses
import os
import socket
import threading

from scheduler import conf
from scheduler.core.states import NodeKind
from scheduler.engine.worker.worker import Worker
from scheduler.remote.executors import Ring
from scheduler.untouched import time

_LONGEST_ANSWER_SECONDS = 60.0
"""Without an answer of the ledger for so long the ring is given up: the run is rung again."""

_LOOK_SECONDS = 0.02
"""Interval at which a body that runs is looked at."""

_workers: dict[tuple[int, str], Worker] = {}
_one_at_a_time = threading.Lock()


def answer(ring: Ring, *, alias: str) -> None:
    """
    Ask the start gate for a run. If it begins here, return when its outcome is recorded.

    So a backend counts the body as its task: it runs no more at once than it is meant to, and waits for it when it
    stops.

    :raises DatabaseUnavailable, WrongEnvironment: this process cannot be a worker; no body has begun
    """
    worker = _worker(alias)
    answered = threading.Event()
    worker.ring(ring, answered=answered.set)
    if not answered.wait(_LONGEST_ANSWER_SECONDS):
        return
    while worker.works_on(ring.run):
        time.sleep(_LOOK_SECONDS)


def _worker(alias: str) -> Worker:
    """Return the worker of this process, which is another one after a fork."""
    key = (os.getpid(), alias)
    with _one_at_a_time:
        if key not in _workers:
            settings = dataclasses.replace(conf.get(), pacemaker=False)  # the process is not ours to end
            worker = Worker(
                kind=NodeKind.TASKS,
                name=f"{alias}@{socket.gethostname()}",
                queues=(alias,),
                places=settings.threads,
                uses_processes=False,
                owns_process=False,
                settings=settings,
            )
            worker.start()
            _workers[key] = worker
            atexit.register(_stop, key)
        return _workers[key]


def _stop(key: tuple[int, str]) -> None:
    if key[0] == os.getpid() and (worker := _workers.pop(key, None)) is not None:
        worker.stop(may_wait=False)


def stop_all() -> None:
    """Stop the workers of this process."""
    for key in list(_workers):
        _stop(key)
