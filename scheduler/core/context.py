"""What a running task may know about its own run: ``current_run()``."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentRun:
    """The run that this code belongs to."""

    run_id: int
    job_id: str | None
    """``None`` once the job was deleted."""

    job_name: str
    task: str
    scheduled_at: datetime
    """The fire time, in UTC."""

    attempt: int
    """1 for the first try."""

    node: str
    """The UUID of the node that runs it."""


_current: ContextVar[CurrentRun | None] = ContextVar("scheduler_current_run", default=None)


def current_run() -> CurrentRun:
    """
    Return the run that this code belongs to.

    :raises RuntimeError: called outside a run
    """
    run = _current.get()
    if run is None:
        raise RuntimeError("current_run() was called outside a run. It works inside a task, while its job runs.")
    return run


def enter(run: CurrentRun | None) -> object:
    """Make ``run`` the current one for this context; hand the answer to ``leave``."""
    return _current.set(run)
