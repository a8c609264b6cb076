"""The task that benchmarks run: nothing, so that only the scheduler is measured."""

import logging

from scheduler import task

logger = logging.getLogger(__name__)


@task(name="benchmarks.nothing")
def nothing() -> None:
    """Do nothing."""


@task(name="benchmarks.nothing_idempotent", idempotent=True)
def nothing_idempotent() -> None:
    """Do nothing; twice is as good as once, so the start gate is skipped."""


@task(name="benchmarks.talk")
def talk(lines: int) -> None:
    """Log that many lines."""
    for number in range(lines):
        logger.warning("line %d of %d", number, lines)
