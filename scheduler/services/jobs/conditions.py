"""The condition of each job as one word: for lists, pages and the dashboard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, CharField, Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Value, When
from django_apscheduler.models import DjangoJob

from scheduler import conf
from scheduler.core.health.standing import NotStarted
from scheduler.core.states import JobState, Overlap
from scheduler.models import Job
from scheduler.models.job import OF_NEWER_WORDS
from scheduler.store.measuring import measures

CONDITIONS = ("broken", "stopped", "failing", "overdue", "stalled", "unknown", "ok", "paused", "finished")
"""
From worst to best. A job has the first condition that applies.

``stopped``: the scheduler paused it because it failed too often. ``overdue``: something is due and has not begun.
``stalled``: its last fire times were all missed or skipped. ``unknown``: its state or its ``overlap`` is a word of
a newer release, so that nodes of this one leave it alone.
"""

TROUBLES = ("broken", "stopped", "failing", "overdue", "stalled")
"""The conditions that need a person."""

_PLAIN: dict[str, str] = {state: "ok" if state is JobState.ACTIVE else str(state) for state in JobState}
"""The condition of a job whose state says it all."""

_FEW = 10_000
"""So many jobs are looked up by their ids. The number that a subquery will find is a guess to the server."""

_FREQUENT = {"ok": JobState.ACTIVE, "paused": JobState.PAUSED, "finished": JobState.FINISHED}
"""The conditions of most jobs, and their states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """By what the conditions are told."""

    late: datetime
    """Jobs that are due since before are overdue."""

    waiting: Sequence[str]
    """Jobs of which a run waits for too long."""

    passed: Sequence[str]
    """Jobs whose last fire times passed without a run."""


def criteria(*, now: datetime, not_started: Sequence[NotStarted] | None = None) -> Criteria:
    """Return them. ``not_started``: what ``measures.not_started`` found, if it was called already."""
    found = measures.not_started() if not_started is None else not_started
    return Criteria(
        late=now - timedelta(seconds=conf.get().overdue_seconds),
        waiting=[each.job for each in found if each.since is not None],
        passed=[each.job for each in found if each.fire_times],
    )


def with_condition(*, jobs: QuerySet[Job], by: Criteria) -> QuerySet[Job]:
    """
    Add ``condition``, one of ``CONDITIONS``, and ``severity``, its place there.

    When a job is due is looked up for the jobs that are read. A join would stay in queries that count or need no more
    than ids.
    """
    late = DjangoJob.objects.order_by().filter(pk=OuterRef("pk"), next_run_time__lt=by.late)
    is_overdue = Q(Exists(late), state=JobState.ACTIVE)
    rules: tuple[tuple[str, Q], ...] = (
        ("broken", Q(state=JobState.BROKEN)),
        (
            "stopped",
            Q(
                state=JobState.PAUSED,
                consecutive_failures__gt=0,
                consecutive_failures__gte=F("pause_after_failures"),
            ),
        ),
        ("failing", Q(state=JobState.ACTIVE, consecutive_failures__gt=0)),
        ("overdue", is_overdue | Q(pk__in=by.waiting) if by.waiting else is_overdue),
        *((("stalled", Q(state=JobState.ACTIVE, pk__in=by.passed)),) if by.passed else ()),
        ("unknown", ~Q(state__in=list(JobState)) | Q(state=JobState.ACTIVE) & ~Q(overlap__in=list(Overlap))),
        ("paused", Q(state=JobState.PAUSED)),
        ("finished", Q(state=JobState.FINISHED)),
    )
    words = [When(rule, then=Value(word)) for word, rule in rules]
    places = [When(rule, then=Value(CONDITIONS.index(word))) for word, rule in rules]
    found: QuerySet[Job] = jobs.annotate(
        condition=Case(*words, default=Value("ok"), output_field=CharField()),
        severity=Case(*places, default=Value(CONDITIONS.index("ok")), output_field=IntegerField()),
    )
    return found


def only(*, jobs: QuerySet[Job], condition: str, by: Criteria) -> QuerySet[Job]:
    """
    Keep the jobs in this condition, in words that indexes and statistics know.

    A query for a value of ``condition``, which is computed for each job, would read all jobs. Most jobs are in one of
    three conditions, for which the words say it all. For the others they say what all of these jobs meet.
    """
    words = Q(pk__in=_late_or_waiting(by)) if condition == "overdue" else _words(by)[condition]
    found: QuerySet[Job] = jobs.filter(words)
    if condition not in _FREQUENT:
        found = found.filter(condition=condition)
    return found


def among_state(*, jobs: QuerySet[Job], condition: str, counts: Mapping[str, int]) -> tuple[QuerySet[Job], int] | None:
    """
    Return the jobs in the state of a frequent condition, and the number that are in another condition at most.

    ``None``: the condition is no frequent one. ``counts``: the number of all jobs in each condition.
    """
    if condition not in _FREQUENT:
        return None
    return jobs.filter(state=_FREQUENT[condition]), sum(counts[each] for each in CONDITIONS if each not in _FREQUENT)


def _words(by: Criteria) -> dict[str, Q]:
    is_waiting = Q(id__in=by.waiting)
    is_late = Q(next_run_time__isnull=False, next_run_time__lt=by.late)
    keeps_trying = Q(consecutive_failures=0) | Q(pause_after_failures__isnull=True)
    has_failed_too_little = keeps_trying | Q(consecutive_failures__lt=F("pause_after_failures"))
    return {
        "broken": Q(state=JobState.BROKEN),
        "stopped": Q(state=JobState.PAUSED, consecutive_failures__gt=0),
        "failing": Q(state=JobState.ACTIVE, consecutive_failures__gt=0),
        "stalled": Q(pk__in=by.passed),
        "unknown": OF_NEWER_WORDS,
        "ok": Q(state=JobState.ACTIVE, consecutive_failures=0, overlap__in=list(Overlap))
        & ~is_late
        & ~Q(id__in=[*by.waiting, *by.passed]),
        "paused": Q(state=JobState.PAUSED) & has_failed_too_little & ~is_waiting,
        "finished": Q(state=JobState.FINISHED) & ~is_waiting,
    }


def _late_or_waiting(by: Criteria) -> Any:
    """Find ids in one table, whose indexes serve it. A criterion over two tables would have to read both."""
    late = DjangoJob.objects.order_by().filter(Q(next_run_time__lt=by.late) | Q(id__in=by.waiting))
    return _few_or_query(late.values("pk"))


def condition_of(*, job: Job, now: datetime) -> str:
    """Return the condition of one job. A deleted job has ended."""
    by = criteria(now=now, not_started=measures.not_started(jobs=[job.pk]))
    row = with_condition(jobs=Job.objects.filter(pk=job.pk), by=by).values_list("condition", flat=True)
    return str(row.first() or "finished")


def counts(*, by: Criteria, by_state: Mapping[str, int] | None = None) -> dict[str, int]:
    """
    Return how many jobs are in each condition, all of them named.

    The state of most jobs is their condition: the others are few, and found by indexes. ``by_state``: the number of
    jobs in each state, if they were counted already.
    """
    found = dict.fromkeys(CONDITIONS, 0)
    if by_state is None:
        by_state = dict(Job.objects.order_by().values_list("state").annotate(number=Count("state")))
    for state, number in by_state.items():
        found[_PLAIN.get(state, "unknown")] += number
    for state, condition, number in _others(by):
        found[_PLAIN.get(state, "unknown")] -= number
        found[condition] += number
    return {condition: max(0, number) for condition, number in found.items()}


def _others(by: Criteria) -> Iterable[tuple[str, str, int]]:
    """Return state, condition and number of the jobs whose condition may be another one than their state says."""
    ids = _few_or_query(told_apart(by=by))
    if isinstance(ids, list) and not ids:
        return ()
    others = Job.objects.order_by().filter(pk__in=ids)
    found = with_condition(jobs=others, by=by).values_list("state", "condition").annotate(number=Count("pk"))
    return ((state, condition, number) for state, condition, number in found)


def _few_or_query(found: QuerySet[Any]) -> Any:
    """Return the ids that a query for ids finds, if they are few, and otherwise the query itself."""
    ids = list(found.values_list("pk", flat=True)[: _FEW + 1])
    return ids if len(ids) <= _FEW else found


def told_apart(*, by: Criteria) -> QuerySet[Any]:
    """Select the ids of the jobs whose condition may be another one than their state says."""
    jobs = Job.objects.order_by().values("pk")
    failing = jobs.filter(consecutive_failures__gt=0)
    overdue = DjangoJob.objects.order_by().filter(next_run_time__lt=by.late).values("pk")
    listed = jobs.filter(pk__in=[*by.waiting, *by.passed])
    return failing.union(overdue, listed, jobs.filter(OF_NEWER_WORDS))
