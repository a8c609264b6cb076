"""Jobs as the parameters of a request select and order them."""

from __future__ import annotations

from scheduler.api import shapes
from scheduler.core.states import JobState
from scheduler.errors import InvalidRequest
from scheduler.services.queries.job_queries import JobFilter
from scheduler.services.queries.paging import Order

ORDERS = {
    "id": Order(columns=("pk",)),
    "name": Order(columns=("name", "pk")),
    "next_run_time": Order(columns=("next_run_time", "pk"), nullable=True),
    "last_run": Order(columns=("last_run_at", "pk"), nullable=True),
}


def order(name: str) -> Order:
    found = ORDERS[name.removeprefix("-")]
    if not name.startswith("-"):
        return found
    return Order(columns=found.columns, descending=True, nullable=found.nullable)


def filter_of(query: shapes.JobsQuery) -> JobFilter:
    states: set[str] = set(query.state)
    if query.broken == "true":
        states = (states or {JobState.BROKEN.value}) & {JobState.BROKEN.value} or {"none"}
    elif query.broken == "false":
        states = (states or {state.value for state in JobState}) - {JobState.BROKEN.value} or {"none"}
    return JobFilter(
        states=tuple(sorted(states)),
        tasks=tuple(query.task),
        executors=tuple(query.executor),
        tags=tuple(query.tag),
        sources=tuple(query.source),
        last_outcomes=tuple(query.last_outcome),
        failing=query.failing == "true",
        drift=query.drift == "true",
        undeclared=query.undeclared == "true",
        text=query.q,
    )


def selected_by(body: shapes.Bulk | shapes.BulkJobs) -> JobFilter:
    if bool(body.tags) != body.action.endswith("_tags"):
        raise InvalidRequest("Give tags with the actions add_tags and remove_tags, and with no other.")
    if body.until is not None and body.action != "pause":
        raise InvalidRequest("Only a pause has an “until”.")
    if bool(body.ids) == (body.filter is not None):
        raise InvalidRequest("Give either ids or a filter.")
    chosen = body.filter
    if chosen is None:
        return JobFilter()
    filter = JobFilter(
        states=tuple(chosen.state),
        tasks=tuple(chosen.task),
        executors=tuple(chosen.executor),
        tags=tuple(chosen.tag),
        sources=tuple(chosen.source),
        last_outcomes=tuple(chosen.last_outcome),
        failing=chosen.failing,
        drift=chosen.drift,
        undeclared=chosen.undeclared,
        text=chosen.q,
    )
    if filter == JobFilter():
        raise InvalidRequest("The filter is empty: it would change every job. Name what is meant.")
    return filter
