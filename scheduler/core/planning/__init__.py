"""
The plan for each due fire time: it runs, is folded into a run, is missed, or is skipped.

``fire_plans`` plans fire times that all may run, ``left_out`` those of triggers with calendars.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from scheduler.core import triggers
from scheduler.core.planning import fire_plans, left_out
from scheduler.core.planning.fire_plans import NONE_ACTIVE, Active, FirePlan, PlannedRun, Policies, policies_of
from scheduler.core.triggers import CalendaredTrigger, Trigger

__all__ = ["NONE_ACTIVE", "Active", "FirePlan", "PlannedRun", "Planner", "Policies", "plan", "policies_of"]


def plan(
    *, trigger: Trigger, due_at: datetime, now: datetime, policies: Policies, active: Active, catch_up_limit: int
) -> FirePlan:
    """
    Account for every fire time from ``due_at`` to ``now``, both included.

    ``due_at`` is a fire time and not after ``now``. ``active`` are the runs of this job that are not finished. The work
    is bounded by ``catch_up_limit``, however long the outage was.

    :raises TooCostly: its trigger has to be searched for too long
    """
    if type(trigger) is CalendaredTrigger:
        due_at = fire_plans.exact(trigger.rule, due_at)
        return left_out.plan(trigger, due_at, now, policies, active, catch_up_limit)
    due_at = fire_plans.exact(trigger, due_at)
    return fire_plans.plan(trigger, due_at, now, policies, active, catch_up_limit)


class Due(Protocol):
    """A job whose time has come, as it is stored."""

    @property
    def id(self) -> str: ...
    @property
    def trigger(self) -> str: ...
    @property
    def due_at(self) -> datetime: ...
    @property
    def now(self) -> datetime: ...
    @property
    def coalesce(self) -> bool: ...
    @property
    def max_instances(self) -> int: ...
    @property
    def misfire_grace_time(self) -> int | None: ...
    @property
    def overlap(self) -> str: ...


class Planner:
    """
    Plans jobs that are due at one moment.

    Those without an active run share the plan of another that is like them: at a full hour many are due.
    """

    def __init__(self, active: Mapping[str, Active], catch_up_limit: int) -> None:
        """``active``: of the jobs that have active runs, by id."""
        self._active = active
        self._catch_up_limit = catch_up_limit
        self._shared: dict[tuple[Any, ...], FirePlan] = {}

    def plan(self, job: Due) -> FirePlan:
        """:raises InvalidTrigger: its trigger cannot be used"""
        active = self._active.get(job.id)
        if active is not None:
            return self._plan(job, active)
        policies = (job.coalesce, job.max_instances, job.misfire_grace_time, job.overlap)
        alike = (job.trigger, job.due_at, policies)
        found = self._shared.get(alike)
        if found is None:
            found = self._shared[alike] = self._plan(job, NONE_ACTIVE)
        return found

    def _plan(self, job: Due, active: Active) -> FirePlan:
        return plan(
            trigger=triggers.parse_cached(job.trigger),
            due_at=job.due_at,
            now=job.now,
            policies=policies_of(job.coalesce, job.max_instances, job.misfire_grace_time, job.overlap),
            active=active,
            catch_up_limit=self._catch_up_limit,
        )
