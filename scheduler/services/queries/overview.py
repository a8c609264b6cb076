"""The values that jobs have, and their newest runs, for lists, pages and the dashboard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, Func, IntegerField, OuterRef, QuerySet, Subquery, When
from django.db.models.functions import JSONObject, Left

from scheduler.core import reasons
from scheduler.core.health.standing import NotStarted
from scheduler.core.states import JobSource, RunState
from scheduler.models import Job, Run
from scheduler.models.run import SECONDS_TAKEN
from scheduler.services.jobs import conditions
from scheduler.services.jobs.conditions import Criteria
from scheduler.services.queries import job_queries
from scheduler.store.measuring import measures
from scheduler.store.sessions.drivers import timestamps

_ERROR_CHARS = 300
_RESULT_BYTES = 2000
"""As they are stored, maybe compressed: longer results are for the pages of their runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The values that exist among the jobs, for tabs and filters."""

    counts: dict[str, int]
    """The number of jobs in each condition."""

    tasks: list[str]
    executors: list[str]
    tags: list[str]

    @property
    def sources(self) -> list[str]:
        return [source.value for source in JobSource]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """A run as far as a strip or a line of a list shows it."""

    id: int
    state: str
    error: str
    """As a message where the scheduler itself says it. Cut."""

    scheduled_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def seconds(self) -> float | None:
        """The duration, or ``None`` if it did not start or has not ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


def fresh_seconds() -> float:
    """Return the age up to which a heartbeat says that its node is alive."""
    return measures.fresh_seconds()


def not_started() -> list[NotStarted]:
    """Find the jobs of which something that is due has not begun, or whose fire times all passed without a run."""
    return measures.not_started()


def survey(*, by: Criteria) -> Survey:
    """Look over all jobs: their conditions, and the values that they have."""
    counts = conditions.counts(by=by)
    found = job_queries.values()
    return Survey(counts=counts, tasks=found.tasks, executors=found.executors, tags=found.tags)


def with_last_run(*, jobs: QuerySet[Job]) -> QuerySet[Job]:
    """
    Let the jobs be ordered by ``last_run_at`` and ``last_seconds`` of their newest run, or leave the query as it is.
    """
    newest = Run.objects.filter(job=OuterRef("pk")).order_by("-scheduled_at", "-attempt")
    found: QuerySet[Job] = jobs.alias(
        last_run_at=Subquery(newest.values("scheduled_at")[:1]),
        last_seconds=Subquery(newest.annotate(took=SECONDS_TAKEN).values("took")[:1]),
    )
    return found


def recent(*, jobs: Iterable[str], count: int, since: datetime | None = None) -> dict[str, list[Recent]]:
    """
    Return the newest runs of each job, the newest first: one query, one look into the index for each job.

    ``since``: those that were scheduled then or later.
    """
    ids = list(jobs)
    if not ids:
        return {}
    runs = Run.objects.filter(job=OuterRef("pk"))
    newest = (
        (runs if since is None else runs.filter(scheduled_at__gte=since))
        .order_by("-scheduled_at", "-attempt")
        .values(
            row=JSONObject(
                id="id",
                state="state",
                error=Left("error", _ERROR_CHARS),
                reason_code="reason_code",
                reason_params="reason_params",
                scheduled_at="scheduled_at",
                started_at="started_at",
                finished_at="finished_at",
            )
        )
    )
    found = Job.objects.filter(pk__in=ids).order_by().annotate(newest=ArraySubquery(newest[:count]))
    return {pk: [_recent(row) for row in rows] for pk, rows in found.values_list("pk", "newest")}


def results(*, runs: Iterable[int]) -> dict[int, Any]:
    """Return what these runs returned, by run, without results that are empty or long: one query."""
    ids = list(runs)
    if not ids:
        return {}
    size = Func("result", function="pg_column_size", output_field=IntegerField())
    rows = Run.objects.filter(pk__in=ids, result__isnull=False).alias(size=size).filter(size__lte=_RESULT_BYTES)
    return {pk: result for pk, result in rows.values_list("pk", "result") if result not in (None, "", [], {})}


def p95(*, jobs: Iterable[str], count: int = 50) -> dict[str, float | None]:
    """
    Return the seconds that 19 of 20 runs did not exceed, for those of the jobs that exist: one query.

    It considers the successes among the newest ``count`` runs. ``None``: no success.
    """
    ids = list(jobs)
    if not ids:
        return {}
    newest = Run.objects.filter(job=OuterRef("pk")).order_by("-scheduled_at", "-attempt")
    took = Case(When(state=RunState.SUCCEEDED, then=SECONDS_TAKEN))
    found = Job.objects.filter(pk__in=ids).order_by().annotate(took=ArraySubquery(newest.values_list(took)[:count]))
    return {
        pk: percentile((float(seconds) for seconds in all_seconds if seconds is not None), 0.95)
        for pk, all_seconds in found.values_list("pk", "took")
    }


def _recent(row: dict[str, Any]) -> Recent:
    return Recent(
        id=row["id"],
        state=row["state"],
        error=_error(row),
        scheduled_at=timestamps.read(row["scheduled_at"]),
        started_at=_instant(row["started_at"]),
        finished_at=_instant(row["finished_at"]),
    )


def _error(row: dict[str, Any]) -> str:
    error = row["error"] or ""
    if not error or not row["reason_code"]:
        return error
    return reasons.read(code=row["reason_code"], params=row["reason_params"], text=error)


def _instant(text: str | None) -> datetime | None:
    return timestamps.read(text) if text else None


def percentile(seconds: Iterable[float], share: float) -> float | None:
    """Return the smallest value that at least this share of them does not exceed, or ``None`` without values."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]
