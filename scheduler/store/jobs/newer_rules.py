"""
Edits by a process with older time zone rules than a node has: that node computes the next fire time anew.

Nodes themselves leave such jobs to each other (``claim_due_jobs``). A web process or a command cannot: it writes the
time that it knows, and marks the job for inspection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scheduler.core import zone_rules
from scheduler.core.states import NodeState
from scheduler.models import Job, Node

_WITHOUT_A_ZONE = ("interval", "date")


def mark(*, jobs: Iterable[Job]) -> None:
    """Have those of the jobs inspected that a running node would plan by newer rules. They are not written yet."""
    planned_here = [job for job in jobs if job.next_run_time is not None and _depends_on_a_zone(job.trigger)]
    if not planned_here:
        return
    known = _tasks_with_newer_rules()
    for job in planned_here:
        if job.task in known:
            job.needs_inspection = job.needs_rescheduling = True


def _depends_on_a_zone(trigger: Any) -> bool:
    return not (isinstance(trigger, Mapping) and trigger.get("type") in _WITHOUT_A_ZONE)


def _tasks_with_newer_rules() -> frozenset[str]:
    newer = Node.objects.filter(
        state=NodeState.RUNNING, tzdata__regex=r"^[0-9]{4}[a-z]+$", tzdata__gt=zone_rules.rank()
    )
    return frozenset(task for tasks in newer.order_by().values_list("tasks", flat=True) for task in tasks)
