"""
Queues of tasks, as ``tests/benchmarks/enqueueing`` sets them up: tasks enqueued beforehand, workers as documented.

They have no fire times, or poll for them, so lateness is the time from the call that enqueues to the body.
"""

from __future__ import annotations

import importlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.contestants.work import PATIENCE_SECONDS, WARM_UP_SECONDS, CannotCompare, percentiles
from tests.benchmarks.enqueueing import body
from tests.benchmarks.enqueueing.__main__ import CONTESTANTS
from tests.benchmarks.enqueueing.contestant import Contestant

NAMES = ("pgqueuer", "django_tasks_db", "dj_queue", "chancy", "huey")

_START_SECONDS = 5


class Queue:
    """One of them, with the measures of a contestant."""

    def __init__(self, name: str) -> None:
        self._name = name

    def run(self, *, jobs: int, threads: int) -> dict[str, Any]:
        """Count from the first body to the last: a worker process takes a second to start."""
        with self._contestant(threads) as contestant:
            contestant.enqueue_many(jobs)
            with contestant.running():
                until = time.monotonic() + PATIENCE_SECONDS
                while len(begun := body.begun()) < jobs and time.monotonic() < until:
                    time.sleep(0.1)
        if len(begun) < 2:
            raise CannotCompare("Its workers ran nothing.")
        seconds = begun[-1][0] - begun[0][0]
        return {
            "jobs": len(begun),
            "seconds": round(seconds, 3),
            "runs_per_second": round((len(begun) - 1) / seconds, 1),
        }

    def lateness(self, *, rate: int, seconds: int, threads: int) -> dict[str, Any]:
        with self._contestant(threads) as contestant, contestant.running():
            time.sleep(_START_SECONDS)
            began = time.time()
            for number in range(rate * (WARM_UP_SECONDS + seconds)):
                at = began + number / rate
                time.sleep(max(0.0, at - time.time()))
                contestant.enqueue(at)
            time.sleep(1)
            counted_from = began + WARM_UP_SECONDS
            late = [1000 * (at_body - at) for at_body, at in body.begun() if at >= counted_from]
        return percentiles(late, expected=rate * seconds)

    def idle(self, *, jobs: int, threads: int) -> dict[str, Any]:
        raise CannotCompare("It is a queue: it has no jobs to start with.")

    @contextmanager
    def _contestant(self, threads: int) -> Iterator[Contestant]:
        os.environ["BENCHMARK_WORKERS"] = str(threads)
        module, name = CONTESTANTS[self._name]
        with tempfile.TemporaryDirectory() as folder:
            os.environ[body.VARIABLE] = str(Path(folder) / "begun")
            body.forget()
            made = getattr(importlib.import_module(f"tests.benchmarks.enqueueing.{module}"), name)
            contestant: Contestant = made(workers=threads)
            contestant.prepare()
            yield contestant
