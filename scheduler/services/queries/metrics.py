"""Metrics: what became of the runs, from counters and hourly roll-ups. The ledger is never counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Max, QuerySet, Sum
from django.db.models.functions import TruncDay

from scheduler.core.states import RunState
from scheduler.errors import InvalidFilter
from scheduler.models import Counter, Job, Rollup
from scheduler.store.clock import database_now
from scheduler.store.measuring import measures

DEFAULT_WINDOW = timedelta(days=1)
LONGEST_WINDOW = timedelta(days=400)
BUCKETS = ("hour", "day")
MOST_BUCKETS = 1000

COLUMNS = ("succeeded", "failed", "timed_out", "cancelled", "interrupted", "missed", "skipped", "run_seconds")
_LOOK_BACK = (timedelta(hours=2), timedelta(days=2), timedelta(days=31))
_EXECUTED = (RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.INTERRUPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """
    Numbers of runs by outcome. ``executed`` counts started runs. The others are its parts and runs that did not start.
    """

    executed: int = 0
    succeeded: int = 0
    failed: int = 0
    timed_out: int = 0
    interrupted: int = 0
    cancelled: int = 0
    missed: int = 0
    skipped: int = 0
    run_seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return {
            "jobs_executed": self.executed,
            "jobs_succeeded": self.succeeded,
            "jobs_failed": self.failed,
            "jobs_timed_out": self.timed_out,
            "jobs_interrupted": self.interrupted,
            "jobs_cancelled": self.cancelled,
            "jobs_missed": self.missed,
            "jobs_skipped": self.skipped,
            "run_seconds": round(self.run_seconds, 6),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Runs that ended in whole hours from ``since`` on, before ``until``."""

    since: datetime
    until: datetime
    total: Tally
    jobs: tuple[tuple[str, str | None, Tally, datetime], ...]
    """Id, name (``None``: deleted), tally and last end of each job that had runs, problems first. Cut to a limit."""

    is_cut: bool
    series: tuple[tuple[datetime, Tally], ...] = field(default=())
    """By the start of each hour or day that had runs. Empty unless it was asked for."""


def totals() -> Tally:
    """Add up everything that ever ended."""
    found: dict[str, Any] = {"run_seconds": 0.0}
    rows = Counter.objects.order_by().values_list("state").annotate(Sum("runs"), Sum("run_seconds"))
    for state, runs, seconds in rows:
        found[state] = runs
        found["run_seconds"] += seconds
    return _tally(found)


def last_execution_at(*, now: datetime | None = None) -> datetime | None:
    """Return when a run ended last, as far as a month back."""
    now = now or database_now()
    for back in _LOOK_BACK:
        last: datetime | None = Rollup.objects.filter(hour__gte=now - back).aggregate(last=Max("last_finished_at"))[
            "last"
        ]
        if last is not None:
            return last
    return None


def uptime_seconds() -> float:
    """Return the uptime of the oldest living node, or 0."""
    return measures.scheduling().uptime or 0.0


def window(
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    bucket: str = "",
    job: str = "",
    most_jobs: int = 50,
    now: datetime | None = None,
) -> Window:
    """
    Add up the roll-ups of a window. By default the last 24 hours. Its start is cut to the hour.

    :raises InvalidFilter: it ends before it begins, is longer than 400 days, or has too many buckets
    """
    until = until or now or database_now()
    start = _start(since, until=until, bucket=bucket)
    rows = Rollup.objects.filter(hour__gte=start, hour__lt=until).order_by()
    if job:
        rows = rows.filter(job_key=job)
    by_job = list(
        rows.values("job_key")
        .annotate(bad=Sum("failed") + Sum("timed_out"), late=Sum("missed"), good=Sum("succeeded"))
        .annotate(last=Max("last_finished_at"), **_sums())
        .order_by("-bad", "-late", "-good", "job_key")[: most_jobs + 1]
    )
    shown = by_job[:most_jobs]
    names = dict(Job.objects.filter(pk__in=[row["job_key"] for row in shown]).order_by().values_list("pk", "name"))
    return Window(
        since=start,
        until=until,
        total=_tally(rows.aggregate(**_sums())),
        jobs=tuple((row["job_key"], names.get(row["job_key"]), _tally(row), row["last"]) for row in shown),
        is_cut=len(by_job) > most_jobs,
        series=_series(rows, bucket),
    )


def _start(since: datetime | None, *, until: datetime, bucket: str) -> datetime:
    """
    Return the hour in which the window begins.

    :raises InvalidFilter: the window cannot be added up
    """
    try:
        start = (since or until - DEFAULT_WINDOW).replace(minute=0, second=0, microsecond=0)
        length = until - start
    except OverflowError:
        raise InvalidFilter("The window lies beyond the years that can be used.", parameter="since") from None
    if length < timedelta(0):
        raise InvalidFilter("The window ends before it begins.", parameter="since")
    if length > LONGEST_WINDOW:
        raise InvalidFilter(f"The window is longer than {LONGEST_WINDOW.days} days.", parameter="since")
    if bucket == "hour" and length > timedelta(hours=MOST_BUCKETS):
        raise InvalidFilter(f"The window has more than {MOST_BUCKETS:,} hours: ask by day.", parameter="bucket")
    return start


def _series(rows: QuerySet[Rollup], bucket: str) -> tuple[tuple[datetime, Tally], ...]:
    if not bucket:
        return ()
    start = F("hour") if bucket == "hour" else TruncDay("hour")
    found = rows.values(start=start).annotate(**_sums()).order_by("start")
    return tuple((row["start"], _tally(row)) for row in found)


def _sums() -> dict[str, Sum]:
    return {f"sum_{column}": Sum(column) for column in COLUMNS}


def _tally(row: Any) -> Tally:
    """Read the sums of a row, or counts by state."""
    values = {column: row.get(f"sum_{column}", row.get(column)) or 0 for column in COLUMNS}
    return Tally(executed=sum(values[state] for state in _EXECUTED), **values)
