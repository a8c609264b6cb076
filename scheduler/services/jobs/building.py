"""A new job from its definition, checked and not written yet."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from scheduler import conf
from scheduler.core import reasons, triggers
from scheduler.core.definition import POLICIES
from scheduler.core.jobs import ids, names
from scheduler.core.jobs import policies as policy_rules
from scheduler.core.states import JobSource, JobState
from scheduler.core.tasks.registry import registry
from scheduler.models import Job
from scheduler.services.queries import job_queries
from scheduler.store.jobs import rows


class Planned(NamedTuple):
    """A trigger as it is stored, and when it fires first."""

    trigger: dict[str, Any]
    first: datetime | None


def unsaved(
    *,
    id: str | None,
    given: Mapping[str, Any],
    source: JobSource,
    paused: bool,
    actor: str,
    now: datetime,
    planned: dict[str, Planned] | None = None,
) -> Job:
    """
    Return a job of this definition that is not written yet.

    ``planned``: the triggers of other jobs with the same source and ``now``, to which this one is added.

    :raises UnknownTask, InvalidArguments, InvalidTrigger, InvalidPolicy, InvalidName: naming the value and the reason
    """
    task = registry.get(given["task"])
    name = id or task.name
    id = uuid.uuid4().hex if id is None else ids.checked(id)
    args, kwargs = rows.check_arguments(task=given["task"], args=given["args"], kwargs=given["kwargs"], job=id)
    policies = _policies(given)
    plan = _planned(given["trigger"], source=source, now=now, among={} if planned is None else planned)
    columns = _paused() if paused else rows.due(plan.first)
    return Job(
        id=id,
        name=names.checked_name(given.get("name") or name),
        description=names.checked_description(given.get("description", "")),
        tags=names.checked_tags(given.get("tags", ())),
        task=task.name,
        args=args,
        kwargs=kwargs,
        trigger=dict(plan.trigger),
        source=source,
        needs_inspection=False,
        **dict.fromkeys(("state_changed_at", "created_at", "updated_at"), now),
        **dict.fromkeys(("state_changed_by", "created_by", "updated_by"), actor),
        **columns,
        **{**policy_rules.defaults(task=task, settings=conf.get()), **policies},
    )


def _policies(given: Mapping[str, Any]) -> dict[str, Any]:
    found = policy_rules.check({name: given[name] for name in POLICIES if name in given})
    if "executor" in found:
        job_queries.check_executor(executor=found["executor"])
    return found


def _planned(trigger: Any, *, source: JobSource, now: datetime, among: dict[str, Planned]) -> Planned:
    """Normalize a trigger and compute its first fire time, once for all jobs that have it."""
    try:
        key = json.dumps(trigger, sort_keys=True)
    except (TypeError, ValueError):
        key = ""  # it has members, such as a timedelta, that are written in several ways
    if key in among:
        return among[key]
    normalized = triggers.normalize(trigger, now=now)
    if source is not JobSource.CODE:
        triggers.check_future(normalized, now=now)
    plan = Planned(trigger=normalized, first=triggers.first_fire_time(normalized, now=now))
    if key:
        among[key] = plan
    return plan


def _paused() -> dict[str, Any]:
    return {"next_run_time": None, "state": JobState.PAUSED, **reasons.columns(reasons.CREATED_PAUSED())}
