"""A new job from its definition, checked and not written yet."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from scheduler import conf
from scheduler.core import reasons, triggers
from scheduler.core.definition import POLICIES
from scheduler.core.jobs import ids, names
from scheduler.core.jobs import policies as policy_rules
from scheduler.core.states import JobSource, JobState
from scheduler.core.tasks.registry import registry
from scheduler.core.tasks.task import Task
from scheduler.models import Job
from scheduler.services.queries import job_queries
from scheduler.store.jobs import rows


class Planned(NamedTuple):
    """A trigger as it is stored, and when it fires first."""

    trigger: dict[str, Any]
    first: datetime | None


@dataclass(frozen=True, slots=True)
class Repeated:
    """The parts that many definitions of one source have in common at one instant: each is checked once."""

    triggers: dict[str, Planned] = field(default_factory=dict)
    policies: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """With their defaults, by the task and what was given."""


def unsaved(
    *,
    id: str | None,
    given: Mapping[str, Any],
    source: JobSource,
    paused: bool,
    actor: str,
    now: datetime,
    repeated: Repeated | None = None,
) -> Job:
    """
    Return a job of this definition that is not written yet.

    ``repeated``: parts of other definitions with the same source and ``now``, to which those of this one are added.

    :raises UnknownTask, InvalidArguments, InvalidTrigger, InvalidPolicy, InvalidName: naming the value and the reason
    """
    task = registry.get(given["task"])
    name = id or task.name
    id = uuid.uuid4().hex if id is None else ids.checked(id)
    args, kwargs = rows.check_arguments(task=given["task"], args=given["args"], kwargs=given["kwargs"], job=id)
    repeated = repeated or Repeated()
    policies = _policies(given, task=task, among=repeated.policies)
    plan = _planned(given["trigger"], source=source, now=now, among=repeated.triggers)
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
        **(_paused() if paused else rows.due(plan.first)),
        **policies,
    )


def _policies(given: Mapping[str, Any], *, task: Task, among: dict[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Check the given policies, and add the defaults of the others, once for all jobs that have the same."""
    stated = {name: given[name] for name in POLICIES if name in given}
    key = repr((task.name, stated))  # unlike a comparison, it tells 1 and True apart
    if key in among:
        return among[key]
    found = policy_rules.check(stated)
    if "executor" in found:
        job_queries.check_executor(executor=found["executor"])
    among[key] = {**policy_rules.defaults(task=task, settings=conf.get()), **found}
    return among[key]


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
