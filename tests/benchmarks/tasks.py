"""The task that benchmarks run: nothing, so that only the scheduler is measured."""

import logging
import threading

from scheduler import current_run, task
from tests.benchmarks.contestants import work

logger = logging.getLogger(__name__)


@task(name="benchmarks.nothing")
def nothing() -> None:
    """Do nothing."""


@task(name="benchmarks.nothing_idempotent", idempotent=True)
def nothing_idempotent() -> None:
    """Do nothing; twice is as good as once, so the start gate is skipped."""


@task(name="benchmarks.note")
def note() -> None:
    """Leave the time at which it began in a file."""
    work.note()


@task(name="benchmarks.talk")
def talk(lines: int) -> None:
    """Log that many lines."""
    for number in range(lines):
        logger.warning("line %d of %d", number, lines)


@task(name="benchmarks.listen")
def listen() -> None:
    """Wait until told to stop."""
    pause = threading.Event()
    while True:
        current_run().raise_if_stopping()
        pause.wait(0.005)


@task(name="benchmarks.fail")
def fail() -> None:
    """Fail at once."""
    raise RuntimeError("It fails.")
