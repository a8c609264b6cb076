from __future__ import annotations

from django.tasks import task

from tests.benchmarks.enqueueing import body


@task
def begin(at: float = 0.0) -> None:
    """Note when it began."""
    body.begin(at)
