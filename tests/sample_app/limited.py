"""Tasks with limits by key."""

from __future__ import annotations

import time

from scheduler import task


@task(name="sample.paced", rate="host:{host} 5/s", idempotent=True)
def paced(*, host: str) -> str:
    """Start at most five times a second for a host."""
    return host


@task(name="sample.crowded", concurrency="host:{host} 2")
def crowded(*, host: str, seconds: float = 0.05) -> None:
    """Run at most twice at once for a host."""
    time.sleep(seconds)


@task(name="sample.crowded_too", concurrency="host:{host} 2")
def crowded_too(*, host: str, seconds: float = 0.05) -> None:
    """Share the places of ``sample.crowded``."""
    time.sleep(seconds)
