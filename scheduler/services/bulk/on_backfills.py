"""The backfill of one job in the background: the past fire times of a window that have no run, oldest first."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from scheduler.errors import InvalidRequest, SchedulerError
from scheduler.models import BulkAction, Job
from scheduler.services import jobs, runs
from scheduler.services.bulk.selection import Refusal, Selection
from scheduler.store.clock import database_now

ACTIONS = ("queue",)
MOST = 1_000_000
"""Most fire times of one backfill."""

_MOMENT = timedelta(microseconds=1)
_AT_ONCE = 200
"""Fire times in one transaction: locks last for some ten milliseconds."""


def checked(*, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """:raises InvalidRequest: the window is incomplete"""
    if action not in ACTIONS:
        raise InvalidRequest(f"“{action}” is not an action of a backfill.")
    return {name: _instant(parameters, name).isoformat() for name in ("since", "until")}


def measure(selection: Selection, parameters: dict[str, Any]) -> tuple[int, str]:
    """
    Return how many fire times the window has.

    :raises JobNotFound, InvalidWindow, InvalidTrigger: the backfill was not begun
    """
    window = {name: _instant(parameters, name) for name in ("since", "until")}
    job = jobs.get(id=selection.ids[0])
    return runs.count_fire_times(job=job, **window, limit=MOST, now=database_now()), ""


def following(row: BulkAction) -> list[str]:
    """Return the next few fire times. Those of a trigger that was edited meanwhile are the new ones."""
    after = _instant({"cursor": row.cursor}, "cursor") if row.cursor else _instant(row.parameters, "since") - _MOMENT
    try:
        job = jobs.get(id=row.selection["ids"][0])
        found = runs.fire_times_after(job=job, after=after, until=_instant(row.parameters, "until"), most=_AT_ONCE)
    except SchedulerError:
        return []
    return [moment.isoformat() for moment in found]


def apply(row: BulkAction, ids: list[str]) -> list[Refusal]:
    """Queue these fire times as far as they have no run, and return the refusals."""
    job_id = row.selection["ids"][0]
    moments = [datetime.fromisoformat(moment) for moment in ids]
    try:
        runs.queue_missing(job=jobs.get(id=job_id), fire_times=moments, actor=row.requested_by, now=database_now())
    except SchedulerError as error:
        name = Job.objects.filter(pk=job_id).values_list("name", flat=True).first() or job_id
        return [Refusal(id=job_id, name=f"{name}, {moment}", error=error) for moment in ids]
    return []


def _instant(parameters: dict[str, Any], name: str) -> datetime:
    try:
        return datetime.fromisoformat(str(parameters.get(name)))
    except ValueError:
        raise InvalidRequest(f"{name} must be a time, not “{parameters.get(name)}”.") from None
