"""Bulk actions on jobs: pause, resume, run, tag, clone, edit, delete."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from scheduler.core.states import JobSource
from scheduler.errors import InvalidRequest
from scheduler.models import BulkAction, Job, Run
from scheduler.services import jobs
from scheduler.services.bulk import edits
from scheduler.services.bulk.selection import Refusal, Selection, each
from scheduler.services.jobs import bulk
from scheduler.services.queries import job_queries
from scheduler.services.queries.job_queries import JobFilter

ACTIONS = ("pause", "resume", "run", "add_tags", "remove_tags", "clone", "edit", "delete")
_AT_ONCE = 20
"""Rows in one transaction: locks last for some ten milliseconds."""


def checked(*, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """:raises InvalidRequest: it cannot be done to jobs, or not so"""
    if action not in ACTIONS:
        raise InvalidRequest(f"“{action}” is not an action on jobs. There are: {', '.join(ACTIONS)}.")
    if action == "edit":
        edits.check(parameters.get("changes", {}))
    if action in ("add_tags", "remove_tags") and not parameters.get("tags"):
        raise InvalidRequest("Name one or more tags.")
    return parameters


def measure(selection: Selection, _parameters: dict[str, Any]) -> tuple[int, str]:
    """Return how many are selected."""
    return _selected(selection.as_json()).count(), ""


def following(row: BulkAction) -> list[str]:
    """Return the next few."""
    rows = _selected(row.selection).filter(pk__gt=row.cursor, created_at__lte=row.created_at)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE])


def apply(row: BulkAction, ids: list[str]) -> list[Refusal]:
    """Apply the action to these jobs and return the refusals."""
    found = list(Job.objects.defer("job_state").filter(pk__in=ids).order_by("pk"))
    return each(found, lambda job: _act(row, job), name=lambda job: str(job.name))


def _act(row: BulkAction, job: Job) -> Job | Run | None:
    given = row.parameters
    author: dict[str, Any] = {"actor": row.requested_by, "via": row.via, "reason": given.get("reason", "")}
    match row.action:
        case "pause":
            until = given.get("until")
            return bulk.pause(job=job, **author, until=datetime.fromisoformat(until) if until else None)
        case "resume":
            return bulk.resume(job=job, **author)
        case "run":
            return jobs.run_now(job=job, actor=row.requested_by)
        case "add_tags":
            return bulk.retag(job=job, **author, add=given.get("tags", ()))
        case "remove_tags":
            return bulk.retag(job=job, **author, remove=given.get("tags", ()))
        case "clone":
            del author["reason"]
            return bulk.clone(job=job, **author, source=JobSource.ADMIN, id=None, name=None, paused=True)
        case "edit":
            return edits.apply(job=job, changes=given["changes"], **author)
        case "delete":
            jobs.remove(job=job, **author)
            return None
    raise InvalidRequest(f"“{row.action}” is not an action on jobs.")


def _selected(selection: dict[str, Any]) -> QuerySet[Job]:
    if "ids" in selection:
        return Job.objects.filter(pk__in=selection["ids"]).order_by()
    given = selection["filter"]
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return job_queries.jobs(filter=JobFilter(**values))
