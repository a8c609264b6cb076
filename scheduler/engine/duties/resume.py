"""Pauses that end: whichever node looks first resumes the job, as a person would."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from scheduler import sealing
from scheduler.conf import SchedulerSettings
from scheduler.core import reasons, triggers
from scheduler.core.jobs import definitions as rules
from scheduler.core.states import JobState
from scheduler.core.tasks.registry import registry
from scheduler.engine.duties.claim import Claim
from scheduler.engine.duties.inspection import LEAST_JOBS, STEP_SECONDS
from scheduler.engine.duty import Agenda, Duty, Work
from scheduler.errors import DatabaseUnavailable, InvalidArguments, InvalidTrigger, UnknownTask
from scheduler.loops import Slice
from scheduler.messages import Message
from scheduler.store.jobs import definitions
from scheduler.store.jobs.definitions import ApprovedJob, EndedPause
from scheduler.store.sessions.connections import Connection
from scheduler.store.sessions.halving import QUICK_SECONDS, in_halves
from scheduler.telemetry import events
from scheduler.untouched import json, time

logger = logging.getLogger(__name__)

MOST_JOBS = 100
"""Jobs that one pass resumes at most."""


class Resume(Duty):
    """End pauses when their time is over. ``LookAhead`` wakes the node for it."""

    ends_sleep = False

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._step = Slice(seconds=STEP_SECONDS, least=LEAST_JOBS, most=MOST_JOBS)

    @property
    def every_seconds(self) -> float:
        return self.work.settings.busy_poll_seconds

    def plan(self, *, seconds: float) -> float:
        """
        Resume the job whose pause ends in this many seconds, and return the time until then.

        Another node may be at it just now, so that it is not tried again at once.
        """
        now = time.monotonic()
        at = now + min(seconds, self.work.settings.poll_seconds)
        self.due_at = max(at, self.called_at + self.every_seconds)
        return max(0.0, self.due_at - now)

    def run(self) -> float | None:
        with self._step.spent() as most:
            resumed = end_pauses(self.work.connection, settings=self.work.settings, limit=most)
        if resumed:
            self.agenda.duty(Claim).soon()
        return 0.0 if resumed >= most else None


def end_pauses(
    connection: Connection, *, settings: SchedulerSettings, limit: int = MOST_JOBS, now: datetime | None = None
) -> int:
    """Resume up to ``limit`` jobs whose pause is over, and return how many are in the schedule again."""
    found = definitions.find_ended_pauses(connection, limit=limit, now=now)
    resumed = in_halves(
        found,
        lambda jobs: _end_pauses(connection, jobs, settings=settings, now=now),
        lambda job, error: definitions.set_apart(connection, job=job, error=error),
    )
    return sum(resumed)


def _end_pauses(
    connection: Connection, jobs: Sequence[str], *, settings: SchedulerSettings, now: datetime | None
) -> int:
    with connection.transaction(lock_seconds=QUICK_SECONDS) as transaction:
        fit: list[ApprovedJob] = []
        problems: list[tuple[str, Message]] = []
        for job in definitions.ended_pauses(transaction, jobs=jobs, now=now):
            try:
                fit.append(_resumed(job, settings))
            except (InvalidArguments, InvalidTrigger) as error:
                problems.append((job.id, reasons.of_error(error)))
            except DatabaseUnavailable:  # a calendar could not be read
                raise
            except Exception as error:  # noqa: BLE001 - nobody checked this definition: it may break only its job
                unreadable = reasons.DEFINITION_UNREADABLE(type=type(error).__name__, error=f"{error}")
                problems.append((job.id, unreadable))
        resumed = definitions.approve(transaction, fit=fit, now=now)
        definitions.break_jobs(transaction, problems=problems, now=now)
    for approved in fit:
        logger.info(events.JOB_RESUMED, extra={"job": approved.id, "next_run_time": approved.next_run_time})
    for job_id, reason in problems:
        logger.warning(events.JOB_BROKEN, extra={"job": job_id, "reason": reason})
    return resumed


def _resumed(job: EndedPause, settings: SchedulerSettings) -> ApprovedJob:
    """
    Return the job as it is when someone resumes it.

    A task that this node does not know may be another's: then nodes that know it judge the arguments, and if none does
    the sweep says that the job cannot run.
    """
    with suppress(UnknownTask):
        rules.check_arguments(
            task=registry.get(job.task),
            args=json.loads(job.args),
            kwargs=json.loads(job.kwargs),
            max_bytes=settings.max_arguments_bytes,
            vault=sealing.Vault(job=job.id),
        )
    trigger = triggers.normalize(json.loads(job.trigger), now=job.now)
    next_run_time = triggers.fire_time_when_resumed(trigger, now=job.now)
    return ApprovedJob(
        id=job.id,
        version=job.version,
        trigger=json.dumps(trigger),
        state=JobState.FINISHED if next_run_time is None else JobState.ACTIVE,
        next_run_time=next_run_time,
    )
