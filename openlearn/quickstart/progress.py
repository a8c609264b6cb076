from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.utils import timezone

from scheduler.core.states import RunKind, RunState
from scheduler.models import Run

RECORDED_WITHIN = timedelta(seconds=30)
"""A run is written a moment after it finished: look back this far for those that came late."""

LONGEST_SUMMARY = 100


class Progress:
    """Runs that finished since ``since``, each reported once."""

    def __init__(self, *, since: datetime, only_remote: bool = False) -> None:
        self._since = since
        self._only_remote = only_remote
        """Whether those of nodes do not count."""

        self._told: set[int] = set()
        self.succeeded = 0
        """Scheduled runs that succeeded. Manual runs do not count."""

        self.last_problem = ""

    def news(self, *, limit: int = 500) -> tuple[str, ...]:
        """Return one line for each run that finished since the last call, oldest first."""
        found = Run.objects.finished().filter(finished_at__gte=self._since).exclude(pk__in=self._told)
        runs = list(found.order_by("finished_at", "pk")[:limit])
        for run in runs:
            self._count(run)
        if runs and runs[-1].finished_at:
            self._move_on(runs[-1].finished_at)
        return tuple(line(run) for run in runs)

    def _count(self, run: Run) -> None:
        self._told.add(run.pk)
        if run.state == RunState.SUCCEEDED:
            self.succeeded += run.kind == RunKind.SCHEDULED and (run.is_remote or not self._only_remote)
        else:
            self.last_problem = line(run)

    def _move_on(self, newest: datetime) -> None:
        if newest - RECORDED_WITHIN > self._since:
            self._since = newest - RECORDED_WITHIN
            late_enough = Run.objects.filter(pk__in=self._told, finished_at__gte=self._since)
            self._told = set(late_enough.values_list("pk", flat=True))


def line(run: Run) -> str:
    """Say in one line which job's run finished when, how and with what."""
    if run.finished_at is None:
        raise ValueError(f"{run} has not finished.")
    took = f" ({(run.finished_at - run.started_at).total_seconds():.2f} s)" if run.started_at else ""
    when = f"{timezone.localtime(run.finished_at):%H:%M:%S}"
    return f"{when}  {run.job_name:<32}  {run.state:<9}  {summary(run)}{took}".rstrip()


def summary(run: Run) -> str:
    """Say what came out: the error or reason if there is one, else the numbers of the result."""
    problem = run.error or run.reason
    if problem:
        text = problem.strip().splitlines()[0]
    elif isinstance(run.result, Mapping):
        counts = (f"{name}: {value}" for name, value in run.result.items() if type(value) is int and value)
        text = ", ".join(counts) or "nothing new"
    else:
        text = "" if run.result is None else str(run.result)
    return text if len(text) <= LONGEST_SUMMARY else f"{text[: LONGEST_SUMMARY - 1]}…"
