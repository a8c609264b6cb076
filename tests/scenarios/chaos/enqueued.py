"""Tasks of ``django.tasks`` for the campaign ``enqueue``: each leaves a trace, and is told apart by its token."""

from __future__ import annotations

import threading

from scheduler.contrib.django_tasks import policies
from tests.scenarios.chaos import effects

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task  # type: ignore[no-redef]

_SECONDS = 0.02


@task
def once(*, token: str) -> str:
    """Must not be run again after a crash."""
    return _work(token)


@policies(idempotent=True)
@task
def again(*, token: str) -> str:
    """Is run again after a crash, until it ends."""
    return _work(token)


def _work(token: str) -> str:
    effects.note("begin")
    threading.Event().wait(_SECONDS)
    effects.note("end")
    return token
