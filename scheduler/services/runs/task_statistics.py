"""Figures of a task over the last week: of all its runs, enqueued ones and those of jobs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.core.states import RunState
from scheduler.models import Run
from scheduler.services.queries import run_queries
from scheduler.services.queries.run_queries import RunFilter
from scheduler.store.clock import database_now

_WINDOW = timedelta(days=7)
_MOST_RUNS = 2_000
_MOST_ERRORS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStatistics:
    """Of the newest 2,000 runs of a week. Durations are in seconds. ``None``: no run has ended."""

    runs: int
    has_more: bool
    per_hour: float
    """Over the time from the oldest of these runs."""

    succeeded: int
    failed: int
    """Failed, timed out or interrupted."""

    active: int
    p50: float | None
    p95: float | None
    p99: float | None
    last_errors: tuple[Run, ...]

    @property
    def failure_rate(self) -> float | None:
        """From 0 to 1."""
        ended = self.succeeded + self.failed
        return self.failed / ended if ended else None


def of_task(*, name: str, now: datetime | None = None) -> TaskStatistics:
    """Return the figures of a task. One that never ran has zeros."""
    now = now or database_now()
    wanted = run_queries.runs(filter=RunFilter(task=name, since=now - _WINDOW))
    rows = list(wanted.values_list("state", "created_at", "started_at", "finished_at")[:_MOST_RUNS])
    states = Counter(state for state, *_ in rows)
    durations = sorted((finished - started).total_seconds() for _, _, started, finished in rows if started and finished)
    oldest = min((created for _, created, *_ in rows), default=now)
    hours = max((now - oldest).total_seconds() / 3600, 1.0)
    failures = run_queries.runs(filter=RunFilter(task=name, since=now - _WINDOW, states=run_queries.UNSUCCESSFUL))
    return TaskStatistics(
        runs=len(rows),
        has_more=len(rows) == _MOST_RUNS,
        per_hour=len(rows) / hours,
        succeeded=states[RunState.SUCCEEDED],
        failed=sum(states[state] for state in run_queries.UNSUCCESSFUL),
        active=states[RunState.QUEUED] + states[RunState.RUNNING],
        p50=_percentile(durations, 0.5),
        p95=_percentile(durations, 0.95),
        p99=_percentile(durations, 0.99),
        last_errors=tuple(failures[:_MOST_ERRORS]),
    )


def _percentile(ordered: list[float], share: float) -> float | None:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else None
