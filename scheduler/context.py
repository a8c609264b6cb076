"""The interface of a running task to its run: ``current_run()``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar, Token
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from scheduler.errors import RunStopped
from scheduler.untouched import time

if TYPE_CHECKING:
    from scheduler.logbook import Logbook

PUBLISH_SECONDS = 0.5
"""Progress and log lines of a running run reach the ledger at most this often."""


class StopReason(StrEnum):
    """Why a run should end before its body does."""

    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class CurrentRun:
    """The run of this code. The executor makes it, and tasks get it from ``current_run()``."""

    __slots__ = (
        "_on_stop",
        "_publish",
        "_published_at",
        "_stop_reason",
        "attempt",
        "job_id",
        "job_name",
        "last_progress",
        "logbook",
        "node",
        "result_id",
        "run_id",
        "scheduled_at",
        "secrets",
        "task",
    )

    def __init__(
        self,
        *,
        run_id: int,
        job_id: str | None,
        job_name: str,
        task: str,
        scheduled_at: datetime,
        attempt: int,
        node: str,
        publish: Callable[[CurrentRun], None] | None = None,
        result_id: str | None = None,
    ) -> None:
        self.run_id = run_id
        self.job_id = job_id
        """``None`` once the job was deleted."""
        self.job_name = job_name
        self.task = task
        self.scheduled_at = scheduled_at
        """The fire time, in UTC."""
        self.attempt = attempt
        """1 for the first try."""
        self.node = node
        """The UUID of the node that runs it."""
        self.result_id = result_id
        """The id of the result of an enqueued run, as ``django.tasks`` has it. ``None``: it is a run of a job."""
        self.secrets: tuple[str, ...] = ()
        """Values that the stored output of the run never shows."""
        self.logbook: Logbook | None = None
        self.last_progress: dict[str, Any] | None = None
        self._publish = publish
        self._published_at = 0.0
        self._stop_reason: StopReason | None = None
        self._on_stop: Callable[[], None] | None = None

    @property
    def log(self) -> logging.Logger:
        """A logger whose lines are kept with the run, as those of any other logger are."""
        return logging.getLogger(f"task.{self.task}")

    @property
    def stopping(self) -> bool:
        """Return whether the run was cancelled, has passed its timeout, or its node stops: end soon."""
        return self._stop_reason is not None

    @property
    def stop_reason(self) -> StopReason | None:
        return self._stop_reason

    def raise_if_stopping(self) -> None:
        """:raises RunStopped: the run should end"""
        if self._stop_reason is not None:
            raise RunStopped(f"The run was {self._stop_reason.value.replace('_', ' ')}.")

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """
        Report the progress of the run. It reaches the ledger at most a few times a second. The last report always does.
        """
        self.last_progress = {"done": done, "total": total, "message": message}
        self.publish()

    def publish(self) -> None:
        """Pass on progress and log lines, if the last time is long enough ago."""
        if self._publish is None:
            return
        now = time.monotonic()
        if now - self._published_at >= PUBLISH_SECONDS:
            self._published_at = now
            self._publish(self)

    def stop(self, reason: StopReason) -> None:
        """Tell the body to end. Called by the executor, in any thread."""
        self._stop_reason = self._stop_reason or reason
        if self._on_stop is not None:
            self._on_stop()

    def on_stop(self, call: Callable[[], None] | None) -> None:
        """Set the callback for ``stop``, which may have happened already."""
        self._on_stop = call
        if call is not None and self._stop_reason is not None:
            call()


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


def running() -> CurrentRun | None:
    """Return the current run, or ``None`` outside of one."""
    return _current.get()


def enter(run: CurrentRun) -> Token[CurrentRun | None]:
    """Make ``run`` the current one for this context. Pass the result to ``leave``."""
    return _current.set(run)


def leave(token: Token[CurrentRun | None]) -> None:
    _current.reset(token)
