from __future__ import annotations

from tests.benchmarks.enqueueing import body

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task  # type: ignore[no-redef]


@task
def begin(at: float = 0.0) -> None:
    """Note when it began."""
    body.begin(at)
