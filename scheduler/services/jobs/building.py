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

    jobs: dict[tuple[str, str, bool], Job] = field(default_factory=dict)
    """A job without columns of its own, by policies, trigger and whether it is paused."""


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
    key = (_key_of_policies(given, task=task), _key_of_trigger(given["trigger"]), paused)
    pattern = repeated.jobs.get(key)
    if pattern is None:
        policies = _policies(given, task=task, key=key[0], among=repeated.policies)
        plan = _planned(given["trigger"], source=source, now=now, key=key[1], among=repeated.triggers)
        pattern = _pattern(task=task, policies=policies, plan=plan, source=source, paused=paused, actor=actor, now=now)
        if key[1]:
            repeated.jobs[key] = pattern
    return pattern.like(
        id=id,
        name=names.checked_name(given.get("name") or name),
        description=names.checked_description(given.get("description", "")),
        tags=names.checked_tags(given.get("tags", ())),
        args=args,
        kwargs=kwargs,
    )


def _pattern(
    *,
    task: Task,
    policies: Mapping[str, Any],
    plan: Planned,
    source: JobSource,
    paused: bool,
    actor: str,
    now: datetime,
) -> Job:
    return Job(
        task=task.name,
        trigger=dict(plan.trigger),
        source=source,
        needs_inspection=False,
        **dict.fromkeys(("state_changed_at", "created_at", "updated_at"), now),
        **dict.fromkeys(("state_changed_by", "created_by", "updated_by"), actor),
        **(_paused() if paused else rows.due(plan.first)),
        **policies,
    )


def _key_of_policies(given: Mapping[str, Any], *, task: Task) -> str:
    # Unlike a comparison, it tells 1 and True apart.
    return repr((task.name, {name: given[name] for name in POLICIES if name in given}))


def _key_of_trigger(trigger: Any) -> str:
    """Return its JSON. Empty: it has members, such as a timedelta, that are written in several ways."""
    try:
        return json.dumps(trigger, sort_keys=True)
    except (TypeError, ValueError):
        return ""


def _policies(
    given: Mapping[str, Any], *, task: Task, key: str, among: dict[str, Mapping[str, Any]]
) -> Mapping[str, Any]:
    """Check the given policies, and add the defaults of the others, once for all jobs that have the same."""
    if key not in among:
        found = policy_rules.check({name: given[name] for name in POLICIES if name in given})
        if "executor" in found:
            job_queries.check_executor(executor=found["executor"])
        among[key] = {**policy_rules.defaults(task=task, settings=conf.get()), **found}
    return among[key]


def _planned(trigger: Any, *, source: JobSource, now: datetime, key: str, among: dict[str, Planned]) -> Planned:
    """Normalize a trigger and compute its first fire time, once for all jobs that have it."""
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
