"""Inspection: definitions written past the services are checked, and what broke heals when its cause is gone."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any

from scheduler import sealing
from scheduler.conf import SchedulerSettings
from scheduler.core import definitions as rules
from scheduler.core import triggers
from scheduler.core.registry import registry
from scheduler.core.states import JobState
from scheduler.engine.duties.claim import Claim
from scheduler.engine.duties.duty import Agenda, Duty, Work
from scheduler.errors import InvalidArguments, InvalidTrigger, UnknownTask
from scheduler.store import definitions
from scheduler.store.connections import Connection
from scheduler.store.definitions import StoredDefinition, Vouched
from scheduler.store.notifications import Channel

logger = logging.getLogger(__name__)

_BATCH = 200


class Inspect(Duty):
    """Check definitions that were written past the services, and at first all broken jobs, as after a deploy."""

    every_seconds = 60.0
    wakes_on = Channel.JOBS
    merge_seconds = 0.05

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._with_broken = True

    def run(self) -> None:
        self.agenda.duty(Claim).soon()
        broken, self._with_broken = self._with_broken, False
        inspect_jobs(self.work.connection, settings=self.work.settings, broken=broken)


def inspect_jobs(connection: Connection, *, settings: SchedulerSettings, broken: bool) -> int:
    """
    Check the jobs that need it, in short transactions; return how many are in the schedule (again).

    ``broken``: look also at broken jobs, as after a deploy. A job whose task only other nodes offer is left to them.
    """
    after, healed = "", 0
    while True:
        with connection.transaction() as transaction:
            found = definitions.to_inspect(transaction, broken=broken, after=after, limit=_BATCH)
            fit: list[Vouched] = []
            problems: list[tuple[str, str]] = []
            offered = definitions.offered_by_live_nodes(transaction, tasks={job.task for job in found})
            for job in found:
                try:
                    fit.append(_vouch(job, settings))
                except UnknownTask as error:
                    if job.task not in offered:  # else it is for a node of the other release to judge
                        problems.append((job.id, str(error)))
                except (InvalidArguments, InvalidTrigger) as error:
                    problems.append((job.id, str(error)))
                except Exception as error:  # noqa: BLE001 - nobody checked this definition: it may break only its job
                    problems.append((job.id, f"Its definition cannot be read ({type(error).__name__}: {error})."))
            healed += definitions.vouch(transaction, fit=fit)
            definitions.break_jobs(transaction, problems=problems)
        for job_id, reason in problems:
            logger.warning("scheduler.job.broken", extra={"job": job_id, "reason": reason})
        if len(found) < _BATCH:
            return healed
        after = found[-1].id


def break_jobs_without_a_task(connection: Connection) -> int:
    """Take jobs whose task no live node knows out of the schedule; return how many."""
    missing = definitions.without_a_task(connection, tasks=registry.names())
    problems = []
    for job_id, task in missing:
        try:
            registry.get(task)  # a function of an allowed module is known although nobody registered it
        except UnknownTask as error:
            problems.append((job_id, str(error)))
            logger.warning("scheduler.job.broken", extra={"job": job_id, "reason": str(error)})
    # Each job's history gets its row in the same statement: all at once could take longer than a statement may.
    return sum(
        definitions.break_jobs(connection, problems=problems[start : start + _BATCH])
        for start in range(0, len(problems), _BATCH)
    )


def _vouch(job: StoredDefinition, settings: SchedulerSettings) -> Vouched:
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
    return Vouched(
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
