"""
The plan for each due fire time: it runs, is folded into a run, is missed, or is skipped.

``fire_plans`` plans fire times that all may run, ``left_out`` those of triggers with calendars.
"""

from __future__ import annotations

from datetime import datetime

from scheduler.core.planning import fire_plans, left_out
from scheduler.core.planning.fire_plans import NONE_ACTIVE, Active, FirePlan, PlannedRun, Policies, policies_of
from scheduler.core.triggers import CalendaredTrigger, Trigger

__all__ = ["NONE_ACTIVE", "Active", "FirePlan", "PlannedRun", "Policies", "plan", "policies_of"]


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
