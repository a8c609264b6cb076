"""Waiting for a run to end."""

from __future__ import annotations

import time

from scheduler.models import Run
from scheduler.services import runs

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
"""Seconds between two looks: each is one row by its primary key."""


def until_finished(*, id: int, seconds: float) -> Run:
    """
    Return the run when it has ended, or as it is after so many seconds.

    Inside a transaction of an isolation level above READ COMMITTED it would never be seen to end.

    :raises RunNotFound: there is none, or it was deleted meanwhile
    """
    end = time.monotonic() + seconds
    pause = _SHORTEST_PAUSE
    run = runs.get(id=id)
    while run.finished_at is None and (left := end - time.monotonic()) > 0:
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
        if Run.objects.filter(pk=id, finished_at=None).exists():
            continue
        run = runs.get(id=id)
    return run if run.finished_at is not None else runs.get(id=id)
