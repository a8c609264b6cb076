"""Everything that somebody asks at three in the morning, in a bounded number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Q

from scheduler.core import triggers
from scheduler.core.health import Standing
from scheduler.core.health.standing import QueueView, Waiting
from scheduler.core.states import JobState, RunKind, RunState
from scheduler.errors import InvalidTrigger
from scheduler.models import Change, Job, Rollup, Run
from scheduler.services import nodes
from scheduler.services.jobs import conditions, long_lists
from scheduler.services.nodes import SeenNode
from scheduler.services.queries import health, job_history, outlook, overview
from scheduler.services.queries.health import Report
from scheduler.services.queries.job_history import ChangeFilter
from scheduler.services.queries.overview import Recent
from scheduler.services.runs import notes
from scheduler.services.runs.notes import Taken

PAST = timedelta(hours=12)
PLANNED = timedelta(hours=3)
STEP = timedelta(minutes=5)
"""The drawing of past and planned runs moves on in such steps, so that it stays the same between them."""

RECENT_RUNS = 20
"""The newest runs of a job, by which it is judged: those of a strip, and what a run usually takes."""

LANE_RUNS = 60
"""The maximum number of runs drawn one by one. More frequent jobs are drawn by hours."""

_LANES = 20
_LANE_ORDER = ("next_run_time", "pk")
_LAST_PAUSED = (F("state_changed_at").desc(nulls_last=True), "djangojob_ptr_id")
_ROWS = 10
_HIDDEN = ("args", "kwargs", "result", "log", "traceback", "job__job_state", "job__args", "job__kwargs")
_LOOKED_AT = 200
"""So many waiting runs are looked at for what a person would want to know: a queue may be long."""
_CHANGES = 5
_PAUSED = 5
_MOST_PLANNED = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """The outcomes of a job's runs in this hour."""

    begins_at: datetime
    succeeded: int
    ended: int
    """With the fire times that were missed or skipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    job: Job
    runs: list[Recent]
    """Of the last hours, newest first."""

    hours: list[Hour]
    """The oldest first. Empty unless there are more runs than can be drawn one by one."""

    planned: list[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    report: Report
    """The health report. The dashboard agrees with it."""

    counts: dict[str, int]
    attention: list[Job]
    """The worst jobs, with ``condition``."""

    taken: dict[str, Taken]
    """The people who work on the failures of these jobs."""

    recent: dict[str, list[Recent]]
    running: list[Run]
    """Those that have begun first, first."""

    waiting: list[Run]
    """Those that are due later, and those that stand for fire times that passed: the first due first."""

    lanes: list[Lane]
    drawn_at: datetime
    """The present of the lanes: the end of the running step."""

    upcoming: list[Job]
    paused: list[Job]
    """Those that were paused last."""

    nodes: list[SeenNode]
    changed: list[Change]
    """The newest changes of jobs."""

    succeeded: int
    """Of what ended in the last 24 hours, with the fire times that were missed or skipped."""

    ended: int

    @property
    def alive(self) -> int:
        return self._standing.scheduling.fresh_nodes

    @property
    def queues(self) -> Sequence[Waiting]:
        return self._standing.queues

    @property
    def named_queues(self) -> Sequence[QueueView]:
        return self._standing.named_queues

    @property
    def _standing(self) -> Standing:
        assert self.report.standing is not None  # noqa: S101 - what was judged was measured
        return self.report.standing

    @property
    def trouble(self) -> int:
        """The number of jobs that need attention."""
        return sum(self.counts[name] for name in conditions.TROUBLES)


def collect(*, now: datetime) -> Dashboard:
    not_started = overview.not_started()
    report = health.judged(not_started=not_started)
    drawn_at = _next_step(now)
    by = conditions.criteria(now=now, not_started=not_started)
    counts = conditions.counts(by=by, by_state=None if report.standing is None else report.standing.jobs)
    lanes = long_lists.first(jobs=Job.objects.defer("job_state"), by=by, counts=counts, order=_LANE_ORDER, count=_LANES)
    running, waiting = _active(now)
    ids = {job.pk for job in lanes} | {run.job_id for run in running if run.job_id}
    recent = overview.recent(jobs=ids, count=RECENT_RUNS)
    drawn = overview.recent(jobs=[job.pk for job in lanes], count=LANE_RUNS, since=drawn_at - PAST)
    full = [job.pk for job in lanes if len(drawn.get(job.pk, [])) >= LANE_RUNS]
    hours = _hours(full, drawn_at=drawn_at)
    last_day = outlook.ended(since=now - timedelta(hours=24), now=now)
    upcoming, paused = _upcoming_and_paused(now)
    attention = [job for job in lanes if _condition(job) in conditions.TROUBLES]
    return Dashboard(
        report=report,
        counts=counts,
        attention=attention,
        taken=notes.of_jobs(jobs=[job.pk for job in attention]),
        recent=recent,
        running=running,
        waiting=waiting,
        lanes=[_lane(job, drawn.get(job.pk, []), hours.get(job.pk, []), now=drawn_at) for job in lanes],
        drawn_at=drawn_at,
        upcoming=upcoming,
        paused=paused,
        nodes=nodes.seen(now=now),
        changed=list(job_history.changes(filter=ChangeFilter())[:_CHANGES]),
        succeeded=sum(hour.succeeded for hour in last_day),
        ended=sum(hour.ended for hour in last_day),
    )


def _next_step(now: datetime) -> datetime:
    passed = timedelta(minutes=now.minute, seconds=now.second, microseconds=now.microsecond) % STEP
    return now - passed + STEP


def _condition(job: Job) -> str:
    return str(job.condition)


def _upcoming_and_paused(now: datetime) -> tuple[list[Job], list[Job]]:
    """Return the jobs that are due next, and those that were paused last: in one query."""
    jobs = Job.objects.defer("job_state")
    due = jobs.filter(state=JobState.ACTIVE, next_run_time__gt=now).order_by("next_run_time", "pk")[:_ROWS]
    paused = jobs.filter(state=JobState.PAUSED).order_by(*_LAST_PAUSED)[:_PAUSED]
    found = list(due.union(paused, all=True))
    upcoming = [job for job in found if job.next_run_time is not None]
    return (
        sorted(upcoming, key=lambda job: (job.next_run_time, job.pk)),
        sorted(
            (job for job in found if job.next_run_time is None),
            key=lambda job: (job.state_changed_at is None, -(job.state_changed_at or now).timestamp(), job.pk),
        ),
    )


def _active(now: datetime) -> tuple[list[Run], list[Run]]:
    """Return what runs, and what waits for a reason that a person would want to know: one query."""
    rows = Run.objects.active().select_related("job").defer(*_HIDDEN)
    running = rows.filter(state=RunState.RUNNING, node__isnull=False).order_by("started_at", "pk")[:_LANES]
    retries = Run.objects.filter(kind=RunKind.RETRY).order_by("-id").values("pk")[:_LOOKED_AT]
    queue = Run.objects.active().filter(node__isnull=True, held=False)
    head = queue.order_by("executor", F("priority").desc(), "due_at", "id").values("pk")[:_LOOKED_AT]
    is_told = Q(due_at__gt=now) | Q(coalesced__gt=0)
    # Both in one subquery: by “or”, every active run would be read and compared with each.
    looked_at = retries.union(head, all=True)
    waiting = rows.filter(is_told, pk__in=looked_at, state=RunState.QUEUED).order_by("due_at", "pk")[:_ROWS]
    found = list(running.union(waiting, all=True))
    return (
        sorted((run for run in found if run.state == RunState.RUNNING), key=_since),
        sorted((run for run in found if run.state == RunState.QUEUED), key=lambda run: (run.due_at, run.pk)),
    )


def _since(run: Run) -> tuple[datetime, int]:
    """A run that SQL has set running may have no start."""
    return run.started_at or run.due_at, run.pk


def _hours(jobs: Sequence[str], *, drawn_at: datetime) -> dict[str, list[Hour]]:
    """Return the drawn hours of these jobs, the oldest first: from the roll-ups."""
    if not jobs:
        return {}
    columns = ("succeeded", "failed", "timed_out", "interrupted", "missed", "skipped")
    rows = Rollup.objects.filter(job_key__in=jobs, hour__gt=drawn_at - PAST - timedelta(hours=1)).order_by("hour")
    found: dict[str, list[Hour]] = {}
    for job, begins_at, succeeded, *others in rows.values_list("job_key", "hour", *columns):
        hour = Hour(begins_at=begins_at, succeeded=succeeded, ended=succeeded + sum(others))
        found.setdefault(job, []).append(hour)
    return found


def _lane(job: Job, runs: list[Recent], hours: list[Hour], *, now: datetime) -> Lane:
    return Lane(
        job=job,
        runs=runs,
        hours=hours,
        planned=_planned(job, until=now + PLANNED),
    )


def _planned(job: Job, *, until: datetime) -> list[datetime]:
    first = job.next_run_time
    if job.state != JobState.ACTIVE or first is None or first > until:
        return []
    try:
        later = triggers.next_fire_times(job.trigger, after=first, count=_MOST_PLANNED - 1)
        runs = triggers.left_out(job.trigger, at=first) is None
    except (InvalidTrigger, TypeError, AttributeError):
        return [first]
    return [*([first] if runs else []), *(moment for moment in later if moment <= until)]
