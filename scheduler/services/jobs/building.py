"""A new job from its definition, checked and not written yet."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

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


def unsaved(
    *, id: str | None, given: Mapping[str, Any], source: JobSource, paused: bool, actor: str, now: datetime
) -> Job:
    """
    Return a job of this definition that is not written yet.

    :raises UnknownTask, InvalidArguments, InvalidTrigger, InvalidPolicy, InvalidName: naming the value and the reason
    """
    task = registry.get(given["task"])
    name = id or task.name
    id = uuid.uuid4().hex if id is None else ids.checked(id)
    args, kwargs = rows.check_arguments(task=given["task"], args=given["args"], kwargs=given["kwargs"], job=id)
    policies = policy_rules.check({name: given[name] for name in POLICIES if name in given})
    if "executor" in policies:
        job_queries.check_executor(executor=policies["executor"])
    normalized = triggers.normalize(given["trigger"], now=now)
    if source is not JobSource.CODE:
        triggers.check_future(normalized, now=now)
    columns = _paused() if paused else rows.due(triggers.first_fire_time(normalized, now=now))
    return Job(
        id=id,
        name=names.checked_name(given.get("name") or name),
        description=names.checked_description(given.get("description", "")),
        tags=names.checked_tags(given.get("tags", ())),
        task=task.name,
        args=args,
        kwargs=kwargs,
        trigger=normalized,
        state_changed_at=now,
        state_changed_by=actor,
        source=source,
        created_at=now,
        created_by=actor,
        updated_at=now,
        updated_by=actor,
        needs_inspection=False,
        **columns,
        **{**policy_rules.defaults(task=task, settings=conf.get()), **policies},
    )


def _paused() -> dict[str, Any]:
    return {"next_run_time": None, "state": JobState.PAUSED, **reasons.columns(reasons.CREATED_PAUSED())}
