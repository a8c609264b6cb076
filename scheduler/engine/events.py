"""APScheduler's events: a thread of its own reports runs to listeners, so that they cannot hold up the node's loop."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from typing import Protocol

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    EVENT_JOB_SUBMITTED,
    JobEvent,
    JobExecutionEvent,
    JobSubmissionEvent,
)

from scheduler.core.planning import PlannedRun
from scheduler.core.states import RunState
from scheduler.loops import Loop
from scheduler.store.claiming.claimed import DueJob
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.runs import OwnedRun
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

JOBSTORE = "default"
_LONGEST_QUEUE = 10_000


class Events(Protocol):
    """Receives what the node does. Called in its threads, so every call returns at once."""

    def submitted(self, run: OwnedRun) -> None: ...

    def born_finished(self, job: DueJob, row: PlannedRun) -> None: ...

    def ended(self, run: OwnedRun, outcome: Outcome) -> None: ...


class NoEvents:
    """Stands in where the scheduler has no listeners."""

    def submitted(self, run: OwnedRun) -> None: ...

    def born_finished(self, job: DueJob, row: PlannedRun) -> None: ...

    def ended(self, run: OwnedRun, outcome: Outcome) -> None: ...


class RunFailed(Exception):
    """The exception of a run for listeners: its type and message, as the ledger has them."""


class EventDispatcher(Loop):
    """Turns what the node does into APScheduler's events, as long as somebody listens."""

    def __init__(self, *, dispatch: Callable[[JobEvent], None], has_listeners: Callable[[], bool]) -> None:
        super().__init__(name="scheduler-events", fault=events.EVENTS_FAILED)
        self._dispatch = dispatch
        self._has_listeners = has_listeners
        self._queue: queue.Queue[JobEvent | None] = queue.Queue(_LONGEST_QUEUE)
        self._has_drained = False
        self.dropped = 0
        """Events that no listener heard, because all of them were busy for too long."""

    def start(self) -> None:
        self._has_drained = False
        super().start()

    def interrupt(self) -> None:
        if self.is_alive:
            self._enqueue(None)

    def is_over(self) -> bool:
        """Over once listeners have heard what was queued before ``stop``."""
        return self._has_drained

    def turn(self) -> float:
        event = self._queue.get()
        if event is None:
            self._has_drained = True
        else:
            self._dispatch(event)
        return 0.0

    def submitted(self, run: OwnedRun) -> None:
        if self._has_listeners():
            self._enqueue(
                JobSubmissionEvent(EVENT_JOB_SUBMITTED, run.job_id, JOBSTORE, [run.scheduled_at]),
            )

    def ended(self, run: OwnedRun, outcome: Outcome) -> None:
        if not self._has_listeners():
            return
        succeeded = outcome.state in (RunState.SUCCEEDED, RunState.SKIPPED)
        self._enqueue(
            JobExecutionEvent(
                EVENT_JOB_EXECUTED if succeeded else EVENT_JOB_ERROR,
                run.job_id,
                JOBSTORE,
                run.scheduled_at,
                retval=outcome.value if succeeded else None,
                exception=None if succeeded else RunFailed(outcome.error or outcome.state.value),
                traceback=outcome.traceback or None,
            )
        )

    def born_finished(self, job: DueJob, row: PlannedRun) -> None:
        if not self._has_listeners():
            return
        if row.state is RunState.MISSED:
            event: JobEvent = JobExecutionEvent(EVENT_JOB_MISSED, job.id, JOBSTORE, row.scheduled_at)
        else:
            event = JobSubmissionEvent(EVENT_JOB_MAX_INSTANCES, job.id, JOBSTORE, [row.scheduled_at])
        self._enqueue(event)

    def _enqueue(self, event: JobEvent | None) -> None:
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.dropped += 1
            if self.dropped % 1000 == 1:
                logger.warning(events.EVENTS_DROPPED, extra={"count": self.dropped})
