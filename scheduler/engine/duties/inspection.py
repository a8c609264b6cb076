"""Inspection: definitions written past the services are checked, and what broke heals when its cause is gone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from scheduler import sealing
from scheduler.conf import SchedulerSettings
from scheduler.core import reasons, triggers
from scheduler.core.jobs import definitions as rules
from scheduler.core.states import JobState
from scheduler.core.tasks.registry import registry
from scheduler.engine.duties.claim import Claim
from scheduler.engine.duty import Agenda, Duty, Work
from scheduler.errors import DatabaseUnavailable, InvalidArguments, InvalidTrigger, UnknownTask
from scheduler.loops import Slice
from scheduler.messages import Message
from scheduler.store.jobs import definitions
from scheduler.store.jobs.definitions import ApprovedJob, StoredDefinition
from scheduler.store.sessions.connections import Connection
from scheduler.store.sessions.halving import QUICK_SECONDS, in_halves
from scheduler.store.sessions.notifications import Channel
from scheduler.telemetry import events
from scheduler.untouched import json, time

logger = logging.getLogger(__name__)

_BATCH = 100
"""Jobs that one pass inspects at most."""

MOST_JOBS = 200
"""Jobs without a task that one pass takes out of the schedule at most."""

STEP_SECONDS = 0.05
"""One pass takes about as long for the jobs that it looks after: no job is claimed meanwhile."""

LEAST_JOBS = 5

_MOST_MERGED_SECONDS = 0.05
_MERGED = 10
"""Inspecting takes a part of the time that is one in so many, however many edits there are."""


class Inspect(Duty):
    """Check definitions that were written past the services, and at first all broken jobs, as after a deploy."""

    every_seconds = 60.0
    wakes_on = Channel.JOBS

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._with_broken = True
        self._after = ""
        self._step = Slice(seconds=STEP_SECONDS, least=LEAST_JOBS, most=_BATCH)
        self._took = 0.0

    @property
    def merge_seconds(self) -> float:
        """An edit is in effect a moment after the one before it, while a flood of them leaves time to claim."""
        return min(_MOST_MERGED_SECONDS, _MERGED * self._took)

    def run(self) -> float | None:
        began = time.monotonic()
        try:
            return self._inspect()
        finally:
            self._took = time.monotonic() - began

    def _inspect(self) -> float | None:
        self.agenda.duty(Claim).soon()
        with self._step.spent() as most:
            done = inspect_jobs(
                self.work.connection,
                settings=self.work.settings,
                broken=self._with_broken,
                after=self._after,
                limit=most,
            )
        self.work.positions.forget_due()  # a job that has healed goes on from where it broke
        self._after = done.after
        if done.after:
            return 0.0
        self._with_broken = False
        return None


class Inspected(NamedTuple):
    """One batch of jobs."""

    healed: int
    """Number of jobs that were entered into the schedule or restored."""

    after: str
    """The start of the next batch. Empty: this was the last one."""


def inspect_jobs(
    connection: Connection, *, settings: SchedulerSettings, broken: bool, after: str = "", limit: int = _BATCH
) -> Inspected:
    """
    Check the next jobs that need it, in short transactions.

    ``broken``: look also at broken jobs, as after a deploy. A job whose task only other nodes offer is left to them.
    """
    found = definitions.find_to_inspect(connection, broken=broken, after=after, limit=limit)
    healed = in_halves(
        found,
        lambda jobs: _inspect(connection, jobs, settings=settings, broken=broken),
        lambda job, error: definitions.set_apart(connection, job=job, error=error),
    )
    return Inspected(healed=sum(healed), after=found[-1] if len(found) == limit else "")


def _inspect(connection: Connection, jobs: Sequence[str], *, settings: SchedulerSettings, broken: bool) -> int:
    with connection.transaction(lock_seconds=QUICK_SECONDS) as transaction:
        found = definitions.to_inspect(transaction, jobs=jobs, broken=broken)
        fit: list[ApprovedJob] = []
        problems: list[tuple[str, Message]] = []
        offered = definitions.offered_by_live_nodes(transaction, tasks={job.task for job in found})
        for job in found:
            try:
                fit.append(_approved(job, settings))
            except UnknownTask as error:
                if job.task not in offered:  # else it is for a node of the other release to judge
                    problems.append((job.id, reasons.of_error(error)))
            except (InvalidArguments, InvalidTrigger) as error:
                problems.append((job.id, reasons.of_error(error)))
            except DatabaseUnavailable:  # a calendar could not be read
                raise
            except Exception as error:  # noqa: BLE001 - nobody checked this definition: it may break only its job
                unreadable = reasons.DEFINITION_UNREADABLE(type=type(error).__name__, error=f"{error}")
                problems.append((job.id, unreadable))
        healed = definitions.approve(transaction, fit=fit)
        definitions.break_jobs(transaction, problems=problems)
    for job_id, reason in problems:
        logger.warning(events.JOB_BROKEN, extra={"job": job_id, "reason": reason})
    return healed


def break_jobs_without_a_task(connection: Connection, *, limit: int = MOST_JOBS) -> int:
    """Remove jobs whose task no live node knows from the schedule, some at a time, and return their number."""
    missing = definitions.without_a_task(connection, tasks=registry.names(), limit=limit)
    problems = []
    for job_id, task in missing:
        try:
            registry.get(task)  # a function of an allowed module is known although nobody registered it
        except UnknownTask as error:
            problems.append((job_id, reasons.of_error(error)))
            logger.warning(events.JOB_BROKEN, extra={"job": job_id, "reason": str(error)})
    broken = in_halves(
        problems,
        lambda part: definitions.break_jobs(connection, problems=part),
        lambda problem, error: definitions.set_apart(connection, job=problem[0], error=error),
    )
    return sum(broken)


def _approved(job: StoredDefinition, settings: SchedulerSettings) -> ApprovedJob:
    trigger = rules.inspect(
        task=job.task,
        args=json.loads(job.args),
        kwargs=json.loads(job.kwargs),
        trigger=json.loads(job.trigger),
        now=job.now,
        max_bytes=settings.max_arguments_bytes,
        vault=sealing.Vault(job=job.id),
    )
    state = JobState.ACTIVE if job.state is JobState.BROKEN else job.state
    next_run_time: datetime | None = None
    if state is JobState.ACTIVE:
        next_run_time = _next_run_time(job, trigger)
        if next_run_time is None:
            state = JobState.FINISHED
    return ApprovedJob(
        id=job.id, version=job.version, trigger=json.dumps(trigger), state=state, next_run_time=next_run_time
    )


def _next_run_time(job: StoredDefinition, trigger: dict[str, Any]) -> datetime | None:
    """
    Say when the job is due.

    A broken job goes on from the fire time that was next when it broke, so that what passed since is accounted for.
    A job whose trigger was changed past the services starts anew.
    """
    if job.interrupted_at is not None:
        return job.interrupted_at
    if job.next_run_time is not None:
        return job.next_run_time
    return triggers.first_fire_time(trigger, now=job.now)
