"""Fire times of the next days and outcomes of the last days, hour by hour."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, Sum

from scheduler.core import triggers
from scheduler.core.states import JobState
from scheduler.errors import InvalidTrigger
from scheduler.models import Job, Rollup

AHEAD = timedelta(days=7)
BEHIND = timedelta(days=7)
MOST_JOBS = 300
"""Most jobs whose fire times are computed: those that are due first."""

FREQUENT = 100
"""A job with more fire times in the window is described by its schedule alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """One fire time."""

    at: datetime
    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    coming: Sequence[Coming]
    """In order."""

    frequent: Sequence[Job]
    """Jobs with too many fire times to list."""

    left_out: int
    """Further jobs that are due in the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastHour:
    """The runs that ended in one hour, over all jobs."""

    begins_at: datetime
    succeeded: int
    failed: int
    passed: int
    """Fire times that were missed or skipped, other than on purpose."""

    left_out: int
    """Fire times that were skipped on purpose."""

    @property
    def ended(self) -> int:
        return self.succeeded + self.failed + self.passed + self.left_out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """Hours that have been over for a while, as they were added up."""

    added_up_at: float
    """On the monotonic clock."""

    since: datetime
    until: datetime
    hours: Sequence[PastHour]

    def covers(self, since: datetime) -> bool:
        return time.monotonic() - self.added_up_at < _KEPT_SECONDS and self.since <= since < self.until


_MANY = 10_000
"""So many roll-ups take long to add up: their sums are kept."""

_KEPT_SECONDS = 600.0
_SETTLED = timedelta(hours=1)
"""An hour that has been over for so long is kept. A run that ended in it may be recorded a little later."""

_kept: _Kept | None = None


def coming(*, now: datetime) -> Outlook:
    """Return the fire times of the next seven days."""
    until = now + AHEAD
    due = Job.objects.defer("job_state").filter(state=JobState.ACTIVE, next_run_time__lte=until)
    jobs = list(due.order_by("next_run_time", "pk")[:MOST_JOBS])
    found: list[Coming] = []
    frequent: list[Job] = []
    for job in jobs:
        fire_times = _fire_times(job, now=now, until=until)
        if len(fire_times) > FREQUENT:
            frequent.append(job)
        else:
            found += [Coming(at=at, job=job) for at in fire_times]
    left_out = due.count() - len(jobs) if len(jobs) == MOST_JOBS else 0
    return Outlook(coming=sorted(found, key=lambda each: (each.at, each.job.pk)), frequent=frequent, left_out=left_out)


def _fire_times(job: Job, *, now: datetime, until: datetime) -> tuple[datetime, ...]:
    first = max(job.next_run_time, now)
    try:
        trigger = triggers.parse(job.trigger)
        return trigger.upcoming(first=first, until=until, limit=FREQUENT + 1)
    except (InvalidTrigger, TypeError, AttributeError):
        return (first,)


def past(*, now: datetime) -> list[PastHour]:
    """Return the hours of the last seven days in which something ended, the oldest first."""
    return [hour for hour in ended(since=now - BEHIND, now=now) if hour.begins_at > now - BEHIND]


def ended(*, since: datetime, now: datetime) -> list[PastHour]:
    """
    Return the hours that begin then or later and in which something ended, the oldest first: from the roll-ups.

    Of very many roll-ups, hours that are long over are those that this process added up some minutes ago.
    """
    global _kept
    kept = _kept
    if kept is not None and kept.covers(since):
        return [hour for hour in kept.hours if hour.begins_at >= since] + _added_up(since=kept.until)[0]
    hours, rows = _added_up(since=since)
    until = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - _SETTLED
    settled = [hour for hour in hours if hour.begins_at < until]
    is_much = rows >= _MANY
    _kept = _Kept(added_up_at=time.monotonic(), since=since, until=until, hours=settled) if is_much else None
    return hours


def _added_up(*, since: datetime) -> tuple[list[PastHour], int]:
    """Return hours over all jobs, and the number of their roll-ups."""
    columns = ("succeeded", "failed", "timed_out", "interrupted", "missed", "skipped", "left_out")
    by_hour = Rollup.objects.filter(hour__gte=since).order_by("hour").values("hour")
    rows: Any = by_hour.annotate(number=Count("*"), **{f"all_{column}": Sum(column) for column in columns})
    hours = [
        PastHour(
            begins_at=row["hour"],
            succeeded=row["all_succeeded"],
            failed=row["all_failed"] + row["all_timed_out"] + row["all_interrupted"],
            passed=row["all_missed"] + row["all_skipped"] - row["all_left_out"],
            left_out=row["all_left_out"],
        )
        for row in rows
    ]
    return hours, sum(row["number"] for row in rows)


def by_hour(*, moments: Sequence[Coming], now: datetime) -> dict[datetime, list[Coming]]:
    """Return what comes in the next 24 hours by the hour, in UTC, in which it comes."""
    found: dict[datetime, list[Coming]] = defaultdict(list)
    for each in moments:
        if each.at <= now + timedelta(hours=24):
            found[each.at.replace(minute=0, second=0, microsecond=0)].append(each)
    return dict(found)
