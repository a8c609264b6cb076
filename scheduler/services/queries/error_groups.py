"""Failures in groups whose errors differ in numbers only, with the times of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scheduler.core import fingerprints
from scheduler.services.queries import run_queries
from scheduler.services.queries.run_queries import RunFilter

MOST_GROUPED = 1000
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class ErrorGroup:
    """Failures whose errors differ in numbers only."""

    text: str
    """The first line of the newest error."""

    like: str
    """The fingerprint, as a filter of runs takes it."""

    count: int = 0
    last_hour: int = 0
    """Those that were entered in the ledger since, as the filter of runs counts."""

    last_day: int = 0
    jobs: dict[str, str] = field(default_factory=dict)
    """Names by id."""

    first_at: datetime | None = None
    last_at: datetime | None = None
    sample: int = 0
    """The id of the newest run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    groups: list[ErrorGroup]
    """The most frequent first."""

    since: datetime | None = None
    """The oldest failure that was read, if there are older ones. Counts of longer times are lower bounds."""


def grouped(*, filter: RunFilter, now: datetime) -> Groups:
    """Group the newest failures by their errors."""
    groups: dict[str, ErrorGroup] = {}
    failed = run_queries.runs(filter=filter).filter(error__isnull=False)
    columns = ("pk", "job_key", "job_name", "error", "finished_at", "created_at")
    rows = list(failed.values_list(*columns)[: MOST_GROUPED + 1])
    for pk, job_key, job_name, error, finished_at, created_at in rows[:MOST_GROUPED]:
        like = fingerprints.of(error)
        fresh = ErrorGroup(text=fingerprints.headline(error), like=like, last_at=finished_at, sample=pk)
        group = groups.setdefault(like, fresh)
        group.count += 1
        group.last_hour += created_at >= now - HOUR
        group.last_day += created_at >= now - DAY
        group.jobs[job_key] = job_name
        group.first_at = finished_at
    return Groups(
        groups=sorted(groups.values(), key=lambda group: -group.count),
        since=rows[MOST_GROUPED - 1][4] if len(rows) > MOST_GROUPED else None,
    )
