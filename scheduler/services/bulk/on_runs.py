"""Bulk actions on runs: cancel, retry, delete."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Max, QuerySet

from scheduler.core.states import RunState
from scheduler.errors import InvalidRequest
from scheduler.models import BulkAction, Run
from scheduler.services import runs
from scheduler.services.bulk.selection import Refusal, Selection, each
from scheduler.services.queries import run_queries
from scheduler.services.queries.run_queries import RunFilter

ACTIONS = ("cancel", "retry", "delete")
_AT_ONCE = {"cancel": 500, "retry": 20, "delete": 500}
"""Rows in one transaction: locks last for some ten milliseconds."""


def checked(*, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """:raises InvalidRequest: it cannot be done to runs"""
    if action not in ACTIONS:
        raise InvalidRequest(f"“{action}” is not an action on runs. There are: {', '.join(ACTIONS)}.")
    return parameters


def settled(selection: Selection) -> Selection:
    """Carry out a search in texts once, so that each step of the action is quick and has the same runs."""
    if not isinstance(selection.filter, RunFilter) or not selection.filter.texts:
        return selection
    return Selection(ids=tuple(run_queries.runs(filter=selection.filter).values_list("pk", flat=True)))


def measure(selection: Selection, _parameters: dict[str, Any]) -> tuple[int, str]:
    """Return how many are selected, and the newest of them: runs that are made meanwhile are not."""
    rows = _selected(selection.as_json())
    found = rows.aggregate(newest=Max("pk"))
    return rows.count(), str(found["newest"] or 0)


def following(row: BulkAction) -> list[int]:
    """Return the next few."""
    rows = _selected(row.selection).filter(pk__gt=int(row.cursor or 0), pk__lte=int(row.upto or 0))
    return list(rows.order_by("pk").values_list("pk", flat=True)[: _AT_ONCE[row.action]])


def apply(row: BulkAction, ids: list[int]) -> list[Refusal]:
    """Apply the action to these runs and return the refusals."""
    if row.action == "cancel":
        return _cancel(ids, actor=row.requested_by)
    if row.action == "delete":
        return _delete(ids)
    found = list(Run.objects.filter(pk__in=ids).order_by("pk"))
    return each(found, lambda run: runs.retry(run=run, actor=row.requested_by), name=lambda run: str(run.job_name))


def _cancel(ids: list[int], *, actor: str) -> list[Refusal]:
    """Cancel queued runs in one statement and running ones one by one. Finished runs are rejected."""
    finished = list(Run.objects.finished().filter(pk__in=ids).order_by("pk"))
    runs.cancel_queued(ids=ids, actor=actor)
    running = Run.objects.active().filter(pk__in=ids).exclude(state=RunState.QUEUED).order_by("pk")
    return each(
        [*finished, *running], lambda run: runs.cancel(run=run, actor=actor), name=lambda run: str(run.job_name)
    )


def _delete(ids: list[int]) -> list[Refusal]:
    found = list(Run.objects.filter(pk__in=ids, finished_at=None).order_by("pk"))
    refusals = each(found, runs.refuse_active, name=lambda run: str(run.job_name))
    Run.objects.filter(pk__in=ids, finished_at__isnull=False).delete()
    return refusals


def _selected(selection: dict[str, Any]) -> QuerySet[Run]:
    if "ids" in selection:
        return Run.objects.filter(pk__in=selection["ids"]).order_by()
    return run_queries.runs(filter=_filter(selection["filter"])).order_by()


def _filter(given: dict[str, Any]) -> RunFilter:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    for name in ("since", "until"):
        if name in values:
            values[name] = datetime.fromisoformat(values[name])
    return RunFilter(**values)
