"""A job over four weeks: outcomes by day from the roll-ups, and durations from its newest runs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from scheduler.core.states import RunState
from scheduler.models import Rollup, Run
from scheduler.services.queries import overview

DAYS = 28
MOST_RUNS = 5_000
"""Most runs whose durations are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    day: date
    succeeded: int = 0
    failed: int = 0
    passed: int = 0
    """Scheduled times that were missed or skipped."""

    p50: float | None = None
    p95: float | None = None
    """Seconds of the successes, as far as they are among the newest runs."""

    @property
    def ended(self) -> int:
        return self.succeeded + self.failed + self.passed


def days(*, job: str, now: datetime, zone: tzinfo) -> list[Day]:
    """Return the last four weeks, the oldest day first, each of them in the zone."""
    today = now.astimezone(zone).date()
    outcomes = _outcomes(job, since=now - timedelta(days=DAYS + 1), zone=zone)
    seconds = _seconds(job, since=now - timedelta(days=DAYS + 1), zone=zone)
    found = []
    for ago in range(DAYS - 1, -1, -1):
        day = today - timedelta(days=ago)
        succeeded, failed, passed = outcomes.get(day, (0, 0, 0))
        found.append(
            Day(
                day=day,
                succeeded=succeeded,
                failed=failed,
                passed=passed,
                p50=overview.percentile(seconds.get(day, ()), 0.5),
                p95=overview.percentile(seconds.get(day, ()), 0.95),
            )
        )
    return found


def _outcomes(job: str, *, since: datetime, zone: tzinfo) -> dict[date, tuple[int, int, int]]:
    found: dict[date, tuple[int, int, int]] = {}
    for row in Rollup.objects.filter(job_key=job, hour__gte=since):
        day = row.hour.astimezone(zone).date()
        succeeded, failed, passed = found.get(day, (0, 0, 0))
        found[day] = (
            succeeded + row.succeeded,
            failed + row.failed + row.timed_out + row.interrupted,
            passed + row.missed + row.skipped,
        )
    return found


def _seconds(job: str, *, since: datetime, zone: tzinfo) -> dict[date, list[float]]:
    newest = Run.objects.filter(job_id=job, scheduled_at__gte=since).order_by("-scheduled_at", "-attempt")
    found: dict[date, list[float]] = defaultdict(list)
    for state, began, ended in newest.values_list("state", "started_at", "finished_at")[:MOST_RUNS]:
        if state == RunState.SUCCEEDED and began is not None and ended is not None:
            found[ended.astimezone(zone).date()].append((ended - began).total_seconds())
    return found
