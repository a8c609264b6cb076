"""What happened: the ledger as people page through it, without ever counting it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q, QuerySet

from scheduler.core.states import RunState
from scheduler.errors import InvalidFilter
from scheduler.models import Job, Node, Run

OUTPUT = ("args", "kwargs", "result", "log", "traceback", "progress")
"""Columns that may be long, or are not for everybody, and are no part of a list."""

TABS: dict[str, tuple[RunState, ...]] = {
    "all": (),
    "failed": (RunState.FAILED, RunState.TIMED_OUT, RunState.INTERRUPTED),
    "running": (RunState.RUNNING,),
    "queued": (RunState.QUEUED,),
    "succeeded": (RunState.SUCCEEDED,),
    "missed": (RunState.MISSED, RunState.SKIPPED),
    "cancelled": (RunState.CANCELLED,),
}

MOST_GROUPED = 1000
MOST_EXPORTED = 10_000

_DIGITS = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which runs. What is empty does not count."""

    tab: str = "all"
    job: str = ""
    task: str = ""
    node: str = ""
    kind: str = ""
    error: str = ""
    """Part of the error's text."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Some runs, newest first, and where the newer and the older ones begin."""

    runs: list[Run]
    newer: str | None
    older: str | None


@dataclass(slots=True, kw_only=True)
class ErrorGroup:
    """Failures whose errors differ in numbers only."""

    text: str
    count: int = 0
    jobs: dict[str, str] = field(default_factory=dict)
    """Names by id."""

    first_at: datetime | None = None
    last_at: datetime | None = None
    sample: int = 0
    """The id of the newest run."""


def runs(*, wanted: Wanted) -> QuerySet[Run]:
    """Return the runs without their output, newest first, in an order that an index has."""
    found = Run.objects.defer(*OUTPUT)
    states = TABS.get(wanted.tab, ())
    if states:
        found = found.filter(state__in=states)
    if wanted.tab in ("running", "queued"):
        found = found.filter(finished_at__isnull=True)
    if wanted.tab == "failed":
        found = found.filter(error__isnull=False)
    if wanted.job:
        # The index knows jobs that exist; the history of deleted ones has only their id.
        exists = Job.objects.filter(pk=wanted.job).exists()
        found = found.filter(job_id=wanted.job) if exists else found.filter(job_key=wanted.job)
    for column in ("task", "node", "kind"):
        if value := getattr(wanted, column):
            found = found.filter(**{column: value})
    if wanted.error:
        found = found.filter(error__icontains=wanted.error, error__isnull=False)
    if wanted.since is not None:
        found = found.filter(created_at__gte=wanted.since)
    if wanted.until is not None:
        found = found.filter(created_at__lt=wanted.until)
    return found.order_by(*(f"-{column}" for column in _order(wanted)))


def page(*, wanted: Wanted, size: int = 50, before: str = "", after: str = "") -> Slice:
    """
    Return the runs before or after a place that another page has given; without one, the newest.

    :raises InvalidFilter: the place is none
    """
    columns = _order(wanted)
    found = runs(wanted=wanted)
    if after:
        rows = list(_beyond(found, columns, after, newer=True).order_by(*columns)[: size + 1])
        more_newer, more_older = len(rows) > size, True
        rows = rows[:size][::-1]
    else:
        rows = list((_beyond(found, columns, before, newer=False) if before else found)[: size + 1])
        more_newer, more_older = bool(before), len(rows) > size
        rows = rows[:size]
    return Slice(
        runs=rows,
        newer=_place(rows[0], columns) if rows and more_newer else None,
        older=_place(rows[-1], columns) if rows and more_older else None,
    )


def group_errors(*, wanted: Wanted) -> list[ErrorGroup]:
    """Group the newest failures by their errors, the most frequent first."""
    groups: dict[str, ErrorGroup] = {}
    rows = (
        runs(wanted=wanted).filter(error__isnull=False).values_list("pk", "job_key", "job_name", "error", "finished_at")
    )
    for pk, job_key, job_name, error, finished_at in rows[:MOST_GROUPED]:
        text = (error or "").strip().partition("\n")[0][:300]
        group = groups.setdefault(fingerprint(text), ErrorGroup(text=text, last_at=finished_at, sample=pk))
        group.count += 1
        group.jobs[job_key] = job_name
        group.first_at = finished_at
    return sorted(groups.values(), key=lambda group: -group.count)


def fingerprint(text: str) -> str:
    """The text without its numbers, addresses and ids."""
    return _DIGITS.sub("#", text)


def export(*, wanted: Wanted) -> Iterator[Run]:
    """Yield the newest runs, in pieces."""
    yield from runs(wanted=wanted)[:MOST_EXPORTED].iterator(chunk_size=500)


def node_names(*, runs: Sequence[Run]) -> dict[str, str]:
    """Return the names of the runs' nodes by id, as far as they are still known."""
    ids = {run.node for run in runs if run.node is not None}
    return {str(pk): name for pk, name in Node.objects.filter(pk__in=ids).values_list("pk", "name")} if ids else {}


def attempts(*, run: Run) -> list[Run]:
    """Return all attempts of the run's fire time, the first one first; of a deleted job, the run alone."""
    if run.job_id is None:
        return [run]
    found = Run.objects.defer(*OUTPUT).filter(job_id=run.job_id, scheduled_at=run.scheduled_at)
    return list(found.order_by("attempt")[:100])


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    previous: Run | None = None
    next: Run | None = None
    last_success: Run | None = None
    """The newest one before, among the 200 before."""


def neighbours(*, run: Run) -> Neighbours:
    """Return the runs of the job's fire times around this one."""
    if run.job_id is None:
        return Neighbours()
    own = Run.objects.defer(*OUTPUT).filter(job_id=run.job_id)
    before = list(own.filter(scheduled_at__lt=run.scheduled_at).order_by("-scheduled_at", "-attempt")[:200])
    after = own.filter(scheduled_at__gt=run.scheduled_at).order_by("scheduled_at", "attempt").first()
    succeeded = (other for other in before if other.state == RunState.SUCCEEDED)
    return Neighbours(previous=before[0] if before else None, next=after, last_success=next(succeeded, None))


def _order(wanted: Wanted) -> tuple[str, ...]:
    if wanted.job:
        return ("scheduled_at", "attempt", "id")
    if wanted.tab == "failed" or wanted.error:
        return ("finished_at", "id")
    return ("id",)


def _place(run: Run, columns: tuple[str, ...]) -> str:
    values = (getattr(run, column) for column in columns)
    return ",".join(value.isoformat() if isinstance(value, datetime) else str(value) for value in values)


def _beyond(found: QuerySet[Run], columns: tuple[str, ...], place: str, *, newer: bool) -> QuerySet[Run]:
    """Those strictly beyond a place in the order of the columns."""
    parts = place.split(",")
    try:
        values = [
            datetime.fromisoformat(part) if column.endswith("_at") else int(part)
            for column, part in zip(columns, parts, strict=True)
        ]
        if any(isinstance(value, datetime) and value.tzinfo is None for value in values):
            raise ValueError
    except ValueError:
        raise InvalidFilter(f"“{place[:64]}” is no place in this list.", parameter="before") from None
    sign = "gt" if newer else "lt"
    either = Q()
    same = Q()
    for column, value in zip(columns, values, strict=True):
        either |= same & Q(**{f"{column}__{sign}": value})
        same &= Q(**{column: value})
    # Implied, and what lets an index begin at the place.
    return found.filter(either, **{f"{columns[0]}__{sign}e": values[0]})
