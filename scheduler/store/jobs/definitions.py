"""Definitions of jobs as the database holds them: those to be inspected, mended or taken out of the schedule."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler.core import reasons, text, zone_rules
from scheduler.core.states import JobState
from scheduler.messages import Message
from scheduler.store.sessions.connections import Connection, array, instants, reason_columns, texts
from scheduler.store.sessions.transaction import Transaction

_LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDefinition:
    """A job's definition, locked by the transaction that read it."""

    id: str
    version: int
    state: JobState
    task: str
    args: str
    kwargs: str
    trigger: str
    executor: str
    next_run_time: datetime | None
    interrupted_at: datetime | None
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedPause:
    """The definition of a job whose pause is over, locked by the transaction that read it."""

    id: str
    version: int
    task: str
    args: str
    kwargs: str
    trigger: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedJob:
    """A definition that was found fit, and when the job is due."""

    id: str
    version: int
    trigger: str
    """JSON, normalized."""

    state: JobState
    next_run_time: datetime | None


def find_to_inspect(connection: Connection, *, broken: bool, after: str, limit: int) -> tuple[str, ...]:
    """Return the next jobs to inspect, by id from ``after`` on. ``broken`` includes those that may have healed."""
    found = connection.execute("find_jobs_to_inspect", broken=broken, after=after, limit=limit)
    return tuple(id_ for (id_,) in found)


def to_inspect(transaction: Transaction, *, jobs: Sequence[str], broken: bool) -> tuple[StoredDefinition, ...]:
    """Lock those of the jobs that still are to be inspected."""
    rows = transaction.execute("jobs_to_inspect", jobs=texts(jobs), broken=broken, tzdata=zone_rules.rank())
    return tuple(
        StoredDefinition(
            id=id_,
            version=version,
            state=JobState(state),
            task=task,
            args=args,
            kwargs=kwargs,
            trigger=trigger,
            executor=executor,
            next_run_time=next_run_time,
            interrupted_at=interrupted_at,
            now=now,
        )
        for id_, version, state, task, args, kwargs, trigger, executor, next_run_time, interrupted_at, now in rows
    )


def find_ended_pauses(connection: Connection, *, limit: int, now: datetime | None = None) -> tuple[str, ...]:
    """Return the jobs whose pause is over, those first that waited longest."""
    return tuple(id_ for (id_,) in connection.execute("find_pauses_that_end", limit=limit, now=now))


def ended_pauses(
    transaction: Transaction, *, jobs: Sequence[str], now: datetime | None = None
) -> tuple[EndedPause, ...]:
    """Lock those of the jobs whose pause is over, except those that another node is resuming."""
    rows = transaction.execute("pauses_that_end", jobs=texts(jobs), now=now, tzdata=zone_rules.rank())
    return tuple(
        EndedPause(id=id_, version=version, task=task, args=args, kwargs=kwargs, trigger=trigger, now=now_)
        for id_, version, task, args, kwargs, trigger, now_ in rows
    )


def approve(transaction: Transaction, *, fit: Sequence[ApprovedJob], now: datetime | None = None) -> int:
    """Enter inspected jobs into the schedule, or restore them, and return their number."""
    if not fit:
        return 0
    rows = transaction.execute(
        "approve_jobs",
        jobs=texts([job.id for job in fit]),
        versions=array([job.version for job in fit]),
        triggers=texts([job.trigger for job in fit]),
        states=array([job.state.value for job in fit]),
        next_run_times=instants([job.next_run_time for job in fit]),
        now=now,
    )
    return len(rows)


def break_jobs(
    executor: Connection | Transaction, *, problems: Sequence[tuple[str, Message]], now: datetime | None = None
) -> int:
    """Remove jobs, given as ids with reasons, from the schedule and return their number."""
    if not problems:
        return 0
    rows = executor.execute(
        "break_jobs",
        jobs=texts([job for job, _ in problems]),
        **reason_columns([reason for _, reason in problems]),
        now=now,
    )
    return len(rows)


def set_apart(connection: Connection, *, job: str, error: Exception) -> None:
    """Take a job out of the schedule whose rows make every statement fail."""
    said = text.storable(f"{error}", most=_LONGEST_REASON)
    reason = reasons.DEFINITION_UNREADABLE(type=type(error).__name__, error=said)
    break_jobs(connection, problems=[(job, reason)])


def count_unadopted(connection: Connection) -> int:
    """Count the rows of stock django-apscheduler that are not adopted. Nodes leave them alone."""
    count: int = connection.execute("count_unadopted_jobs")[0][0]
    return count


def without_a_task(connection: Connection, *, tasks: Collection[str], limit: int) -> tuple[tuple[str, str], ...]:
    """Return id and task of up to ``limit`` active jobs whose task neither ``tasks`` nor a live node has."""
    found = connection.execute("jobs_without_a_task", tasks=list(tasks), limit=limit)
    return tuple((job, task) for job, task in found)


def offered_by_live_nodes(transaction: Transaction, *, tasks: Collection[str]) -> frozenset[str]:
    """Return those of the tasks that a live node offers."""
    if not tasks:
        return frozenset()
    return frozenset(task for (task,) in transaction.execute("tasks_of_live_nodes", tasks=sorted(tasks)))
