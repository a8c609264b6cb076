"""Retention: old runs, jobs that ended and nodes that are gone are found and deleted a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from scheduler.core import reasons
from scheduler.core.queues import orders
from scheduler.core.states import JobState, NodeState, Via
from scheduler.models import Change, Job, Node, Run
from scheduler.models.idempotency import IdempotencyKey
from scheduler.models.job import JobQuerySet
from scheduler.store import database, statements
from scheduler.store.jobs import rows
from scheduler.store.jobs.authorship import Author
from scheduler.store.sessions.connections import array

_GONE = (NodeState.STOPPED, NodeState.LOST)
_NO_NODE = str(UUID(int=0))
_CLEAN_UP = Author(via=Via.SCHEDULER, reason=reasons.NO_LONGER_KEPT())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """One look at the ledger."""

    last_id: int | None
    """The start of the next page. ``None``: this was the last one."""

    seen: int
    holds_old_rows: bool
    """Whether a row was created before the cutoff. Ids grow with time: after a page without one come newer rows."""

    runs: tuple[int, ...]
    """The ids that may go."""


def find_old_runs(*, after: int, cutoff: datetime, keep_per_job: int, limit: int) -> RunPage:
    """Look at the next ``limit`` rows of the ledger, whether they may go or not, and lock none."""
    with database.cursor() as cursor:
        cursor.execute(
            statements.load("find_old_runs"),
            {"after": after, "cutoff": cutoff, "keep": keep_per_job, "limit": limit},
        )
        last_id, seen, holds_old_rows, runs = cursor.fetchone()
    return RunPage(last_id=last_id, seen=seen, holds_old_rows=holds_old_rows, runs=tuple(runs))


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueuedPage:
    """One look at the enqueued runs."""

    last_id: UUID | None
    """The start of the next page. ``None``: this was the last one."""

    seen: int
    runs: tuple[int, ...]
    """The ids of attempts that may go."""


def find_old_enqueued_runs(
    *, after: UUID, successes_days: float, failures_days: float, limit: int, now: datetime
) -> EnqueuedPage:
    """
    Look at the next ``limit`` attempts of enqueued runs, and lock none.

    The days are those of queues without a retention of their own.
    """
    bound = orders.uuid7(milliseconds=int(now.timestamp() * 1000), random=0)
    ((last_id, seen, runs),) = database.Statements().execute(
        "find_old_enqueued_runs",
        after=str(after),
        bound=str(bound),
        successes_days=successes_days,
        failures_days=failures_days,
        limit=limit,
        now=now,
    )
    return EnqueuedPage(last_id=None if last_id is None else UUID(last_id), seen=seen, runs=tuple(runs))


def delete_runs(*, runs: Sequence[int]) -> int:
    """Delete those of the runs that are finished and not locked, and return their number."""
    if not runs:
        return 0
    with database.atomic(), database.cursor() as cursor:
        cursor.execute(statements.load("delete_runs"), {"runs": array(runs)})
        return len(cursor.fetchall())


def find_ended_jobs(*, after: str, cutoff: datetime, limit: int) -> tuple[str, ...]:
    """Return the ids of the next jobs, from ``after`` on, that ended before the cutoff and have no active run."""
    return tuple(_ended(cutoff).filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:limit])


def delete_ended_jobs(*, jobs: Sequence[str], cutoff: datetime) -> int:
    """
    Delete those of the jobs that still are as ``find_ended_jobs`` found them, and return their number.

    Their remaining runs stay in the ledger, with the job's id and name.
    """
    with database.atomic():
        # The parent row comes first, as in a claim and in an edit.
        locked = DjangoJob.objects.select_for_update(skip_locked=True).filter(pk__in=jobs).order_by("pk")
        ended = list(
            _ended(cutoff).filter(pk__in=list(locked.values_list("pk", flat=True))).values_list("pk", flat=True)
        )
        rows.delete_many(jobs=Job.objects.filter(pk__in=ended), author=_CLEAN_UP)
    return len(ended)


def _ended(cutoff: datetime) -> JobQuerySet:
    active = Run.objects.active().filter(job=OuterRef("pk"))
    ended: JobQuerySet = (
        Job.objects.filter(~Exists(active), state=JobState.FINISHED)
        .alias(ended_at=Coalesce("state_changed_at", "updated_at"))
        .filter(ended_at__lt=cutoff)
    )
    return ended


def find_old_changes(*, after: int, cutoff: datetime, keep_per_job: int, limit: int) -> tuple[int, ...]:
    """
    Return the ids of the next changes from before the cutoff, from ``after`` on.

    The newest ``keep_per_job`` of each job that exists stay: it can be brought back to how it was.
    """
    existing = Job.objects.filter(pk=OuterRef("job_key"))
    newer = Change.objects.filter(job_key=OuterRef("job_key")).order_by("-id").values("id")
    oldest_kept = Coalesce(Subquery(newer[keep_per_job - 1 : keep_per_job]), 0)
    old = Change.objects.filter(pk__gt=after, changed_at__lt=cutoff).alias(oldest_kept=oldest_kept)
    return tuple(
        old.filter(~Exists(existing) | Q(pk__lt=F("oldest_kept"))).order_by("pk").values_list("pk", flat=True)[:limit]
    )


def delete_changes(*, changes: Sequence[int]) -> int:
    """Delete these changes and return their number."""
    deleted: int = Change.objects.filter(pk__in=changes).delete()[0]
    return deleted


def find_gone_nodes(*, after: UUID, cutoff: datetime, limit: int) -> tuple[UUID, ...]:
    """Return the ids of the next nodes that stopped or were lost before the cutoff and own no active run."""
    owned = Run.objects.active().filter(node=OuterRef("pk"))
    gone = (
        Node.objects.filter(~Exists(owned), pk__gt=after, state__in=_GONE)
        .alias(gone_at=Coalesce("stopped_at", "heartbeat_at"))
        .filter(gone_at__lt=cutoff)
    )
    return tuple(gone.order_by("pk").values_list("pk", flat=True)[:limit])


def delete_nodes(*, nodes: Sequence[UUID]) -> int:
    """Delete those of the nodes that are gone, with their measures, and return the number of nodes."""
    deleted = Node.objects.filter(pk__in=nodes, state__in=_GONE).delete()[1]
    return deleted.get(Node._meta.label, 0)


def find_stock_history(*, after: int, cutoff: datetime, limit: int) -> tuple[int, ...]:
    """Return the ids of the next rows in which stock django-apscheduler noted what it ran before the cutoff."""
    old = DjangoJobExecution.objects.filter(run_time__lt=cutoff, pk__gt=after)
    return tuple(old.order_by("pk").values_list("pk", flat=True)[:limit])


def delete_stock_history(*, rows: Sequence[int]) -> int:
    """Delete rows of stock django-apscheduler's history and return their number."""
    deleted: int = DjangoJobExecution.objects.filter(pk__in=rows).delete()[0]
    return deleted


def delete_rollups(*, cutoff: datetime, limit: int) -> int:
    """Delete up to ``limit`` hourly roll-ups from before the cutoff and return their number."""
    with database.atomic(), database.cursor() as cursor:
        cursor.execute(statements.load("delete_old_rollups"), {"cutoff": cutoff, "limit": limit})
        return len(cursor.fetchall())


def delete_incidents(*, cutoff: datetime, limit: int) -> int:
    """Delete some of the incidents that closed before the cutoff and return their number."""
    with database.atomic(), database.cursor() as cursor:
        cursor.execute(statements.load("delete_old_incidents"), {"cutoff": cutoff, "limit": limit})
        return len(cursor.fetchall())


def delete_notifications(*, cutoff: datetime, limit: int) -> int:
    """Delete some of the messages from before the cutoff whose incidents are gone, and return their number."""
    with database.atomic(), database.cursor() as cursor:
        cursor.execute(statements.load("delete_old_notifications"), {"cutoff": cutoff, "limit": limit})
        return len(cursor.fetchall())


def fold_counters() -> int:
    """Add the counters of deleted nodes to those without a node, and return how many of these grew."""
    with database.atomic(), database.cursor() as cursor:
        cursor.execute(statements.load("fold_counters"), {"parts": None, "into": _NO_NODE})
        return len(cursor.fetchall())


def fold_queue_counters(*, now: datetime | None = None) -> int:
    """Add the five minutes of hours ago to one counter for each queue, and return how many of these grew."""
    with database.atomic(), database.cursor() as cursor:
        cursor.execute(statements.load("fold_queue_counters"), {"parts": None, "into": _NO_NODE, "now": now})
        return len(cursor.fetchall())


def delete_idempotency_keys(*, cutoff: datetime) -> int:
    """Delete the responses that were kept for repeated requests before the cutoff, and return their number."""
    return IdempotencyKey.objects.filter(created_at__lt=cutoff).delete()[0]
