"""A task to try the scheduler with."""

from __future__ import annotations

from datetime import timedelta

from scheduler import task

SAMPLE_FAILURE = "samples.fail"


class SampleFailure(Exception):
    """It was asked for."""


@task(name=SAMPLE_FAILURE, timeout=timedelta(minutes=1), idempotent=True)
def fail(*, message: str = "This sample fails on purpose.") -> None:
    """Fail, and do nothing else: to see what happens when a job fails."""
    raise SampleFailure(message)
