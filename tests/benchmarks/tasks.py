"""The task that benchmarks run: nothing, so that only the scheduler is measured."""

from scheduler import task


@task(name="benchmarks.nothing")
def nothing() -> None:
    """Do nothing."""


@task(name="benchmarks.nothing_idempotent", idempotent=True)
def nothing_idempotent() -> None:
    """Do nothing; twice is as good as once, so the start gate is skipped."""
