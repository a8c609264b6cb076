"""Planning the due jobs of one claim, within a slice of time."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from scheduler.core import reasons, triggers
from scheduler.core.planning import NONE_ACTIVE, Active, FirePlan, plan, policies_of
from scheduler.errors import DatabaseUnavailable, InvalidTrigger
from scheduler.messages import Message
from scheduler.store.claiming.claimed import DueJob
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)

SLICE_SECONDS = 0.1
"""The longest time that one transaction plans. Edits of its jobs wait as long."""

SLICE_ROWS = 500
"""Rows after which one transaction plans no further job: what jobs that were down for long catch up with."""


def plan_all(
    jobs: list[DueJob], active: Mapping[str, Active], catch_up_limit: int
) -> tuple[list[tuple[DueJob, FirePlan]], list[tuple[str, Message]]]:
    """Plan as many of the jobs as a slice of time and of rows allows, in their order, and at least one."""
    plans: list[tuple[DueJob, FirePlan]] = []
    broken: list[tuple[str, Message]] = []
    planner = _Planner(active, catch_up_limit)
    until = time.monotonic() + SLICE_SECONDS
    rows = 0
    for job in jobs:
        if (plans or broken) and (rows >= SLICE_ROWS or time.monotonic() > until):
            break  # the others are still due: the next claim takes them
        try:
            fire_plan = planner.plan(job)
        except InvalidTrigger as error:
            broken.append((job.id, reasons.TRIGGER_UNUSABLE(problem=reasons.of_error(error))))
        except DatabaseUnavailable:  # a calendar could not be read: that is no fault of the job
            raise
        except Exception as error:
            logger.exception(events.JOB_CANNOT_BE_PLANNED, extra={"job": job.id})
            broken.append((job.id, reasons.TRIGGER_UNCOMPUTABLE(type=type(error).__name__, error=f"{error}")))
        else:
            plans.append((job, fire_plan))
            rows += len(fire_plan.rows)
    return plans, broken


class _Planner:
    """Jobs without an active run share the plan of another that is like them: at a full hour many are due."""

    def __init__(self, active: Mapping[str, Active], catch_up_limit: int) -> None:
        self._active = active
        self._catch_up_limit = catch_up_limit
        self._shared: dict[tuple[Any, ...], FirePlan] = {}

    def plan(self, job: DueJob) -> FirePlan:
        active = self._active.get(job.id)
        if active is not None:
            return self._plan(job, active)
        policies = (job.coalesce, job.max_instances, job.misfire_grace_time, job.overlap)
        alike = (job.trigger, job.due_at, policies)
        found = self._shared.get(alike)
        if found is None:
            found = self._shared[alike] = self._plan(job, NONE_ACTIVE)
        return found

    def _plan(self, job: DueJob, active: Active) -> FirePlan:
        return plan(
            trigger=triggers.parse_cached(job.trigger),
            due_at=job.due_at,
            now=job.now,
            policies=policies_of(job.coalesce, job.max_instances, job.misfire_grace_time, job.overlap),
            active=active,
            catch_up_limit=self._catch_up_limit,
        )
