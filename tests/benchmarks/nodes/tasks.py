from __future__ import annotations

import time

from scheduler import current_run, task
from tests.benchmarks.enqueueing import body


@task(name="benchmarks.begin_when_due")
def begin_when_due() -> None:
    """Note when it began, and when it was due."""
    body.begin(current_run().scheduled_at.timestamp())


@task(name="benchmarks.sleep")
def sleep(seconds: float) -> None:
    """Wait, as for an answer."""
    time.sleep(seconds)


@task(name="benchmarks.compute")
def compute(seconds: float) -> None:
    """Use the processor for so long. 0: return at once."""
    until = time.perf_counter() + seconds
    while seconds and time.perf_counter() < until:
        pass


@task(name="benchmarks.return")
def back() -> None:
    """Return at once."""
