"""Delete old rows in small batches, so that other sessions never wait."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.utils import timezone

from scheduler import conf
from scheduler.core.states import ChangeAction, JobState
from scheduler.errors import InvalidRetention, JobExists
from scheduler.models import Change, Installation, Job, TaskStreak
from scheduler.services import enqueued_retention, jobs, output_retention
from scheduler.services.enqueued_retention import Batch
from scheduler.store.cleaning import retention
from scheduler.store.clock import database_now

BATCH_SIZE = 1000
"""Most rows deleted in one transaction: some ten milliseconds of locks."""

CLEAN_UP_JOB = "scheduler.cleanup_jobs"

_REPEATS = timedelta(days=1)
"""A request may be repeated with its idempotency key for so long."""

_PAGE_ROWS = 2000
"""Rows of the ledger looked at together, without a lock."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CleanUp:
    """The deleted rows, or those that would be deleted."""

    cutoff: datetime
    """Rows that ended before this instant were deleted."""

    runs: int = 0
    jobs: int = 0
    nodes: int = 0
    stock_history: int = 0
    """Rows in which stock django-apscheduler noted what it ran."""

    changes: int = 0
    """Rows of the history of jobs."""

    rollups: int = 0
    """Hourly roll-ups."""

    incidents: int = 0
    """Closed ones, and the messages about them."""

    batches: int = 0
    """Steps that it took, each a transaction of its own."""

    outputs: int = 0
    """Runs whose result, log and traceback were dropped."""

    runs_seen: int = 0
    """Rows of the ledger that were looked at."""

    def plus(self, **counts: int) -> CleanUp:
        added = {name: getattr(self, name) + count for name, count in counts.items()}
        return dataclasses.replace(self, batches=self.batches + 1, **added)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The settings of the clean-up job."""

    days: int
    keep: int
    """So many of the newest runs of each job stay."""

    output_days: int | None
    """The age at which results, logs and tracebacks are dropped. ``None``: with their run."""


def policy() -> Policy | None:
    """Return how long the clean-up job keeps runs, or ``None`` without an active one."""
    kwargs = (
        Job.objects.filter(task=CLEAN_UP_JOB, state=JobState.ACTIVE).order_by("pk").values_list("kwargs", flat=True)
    )
    given = kwargs.first()
    if not isinstance(given, dict):
        return None
    days, keep, output_days = given.get("days"), given.get("keep"), given.get("output_days")
    return Policy(
        days=days if isinstance(days, int) else conf.get().retention_days,
        keep=keep if isinstance(keep, int) else conf.get().keep_runs_per_job,
        output_days=output_days if isinstance(output_days, int) else conf.get().keep_output_days,
    )


def clean_up(
    *,
    older_than_days: int | None = None,
    keep_per_job: int | None = None,
    output_days: int | None = None,
    batch_size: int = BATCH_SIZE,
    dry_run: bool = False,
    progress: Callable[[CleanUp], None] | None = None,
    now: datetime | None = None,
) -> CleanUp:
    """
    Delete rows that ended longer ago than this, and return their numbers.

    * Finished runs, but for the newest ``keep_per_job`` of each job. A job that was deleted, or ended that long ago,
      keeps none. Queued and running runs are never touched.
    * Results, logs and tracebacks of runs that ended ``output_days`` ago. Without a number they stay with their run.
    * Enqueued runs after the days of their queue or the settings, by outcome.
    * Jobs that ended (their last fire time is over) and have no active run. Newer runs of theirs stay as history.
    * Changes of jobs, but for the newest of each job that exists (setting ``keep_changes_per_job``).
    * Nodes that stopped or were lost and own no active run.
    * Executions of stock django-apscheduler in its own table.
    * Hourly roll-ups older than the setting ``rollup_days``, and answers kept for repeated requests for a day.
    * Incidents that closed that long ago, and their messages. Those of tasks that failed last that long ago close.
    * Counters of deleted nodes are added to those without a node, so totals never shrink.

    Each batch is a transaction of its own. Locked rows are left for the next time. ``progress`` is called after each
    batch with the numbers so far. The defaults are those of the settings.

    :raises InvalidRetention: a number is out of its range. No row was deleted
    """
    limits = _limits(older_than_days, keep_per_job, output_days)
    check(older_than_days=limits.days, keep_per_job=limits.keep, output_days=limits.output_days, batch_size=batch_size)
    cutoff = (now := now or database_now()) - timedelta(days=limits.days)
    sweeps = itertools.chain(
        _sweeps(now=now, cutoff=cutoff, keep_per_job=limits.keep, batch_size=batch_size, dry_run=dry_run),
        _sweep_outputs(limits.output_days, now=now, batch=Batch(batch_size), dry_run=dry_run),
        () if dry_run else _sweep_alerts(cutoff=cutoff),
        () if dry_run else _sweep_measures(now=now),
    )
    return _added_up(sweeps, cutoff=cutoff, progress=progress)


def _limits(days: int | None, keep: int | None, output_days: int | None) -> Policy:
    settings = conf.get()
    return Policy(
        days=settings.retention_days if days is None else days,
        keep=settings.keep_runs_per_job if keep is None else keep,
        output_days=settings.keep_output_days if output_days is None else output_days,
    )


def _sweep_outputs(days: int | None, *, now: datetime, batch: Batch, dry_run: bool) -> Iterable[dict[str, int]]:
    if days is None:
        return ()
    return output_retention.sweep(cutoff=now - timedelta(days=days), batch=batch, dry_run=dry_run)


def _added_up(
    sweeps: Iterable[dict[str, int]], *, cutoff: datetime, progress: Callable[[CleanUp], None] | None
) -> CleanUp:
    done = CleanUp(cutoff=cutoff)
    for counts in sweeps:
        done = done.plus(**counts)
        if progress is not None:
            progress(done)
    return done


def _sweeps(
    *, now: datetime, cutoff: datetime, keep_per_job: int, batch_size: int, dry_run: bool
) -> Iterator[dict[str, int]]:
    # Runs go before their jobs: deleting a job detaches its runs, in one transaction however many there are.
    return itertools.chain(
        _sweep(
            what="stock_history",
            find=partial(retention.find_stock_history, cutoff=cutoff),
            delete=lambda page: retention.delete_stock_history(rows=page),
            after=0,
            batch=Batch(batch_size),
            dry_run=dry_run,
        ),
        enqueued_retention.sweep(now=now, batch=Batch(batch_size), dry_run=dry_run),
        _sweep_runs(cutoff=cutoff, keep_per_job=keep_per_job, batch=Batch(batch_size), dry_run=dry_run),
        _sweep(
            what="jobs",
            find=partial(retention.find_ended_jobs, cutoff=cutoff),
            delete=lambda page: retention.delete_ended_jobs(jobs=page, cutoff=cutoff),
            after="",
            batch=Batch(batch_size),
            dry_run=dry_run,
        ),
        _sweep(
            what="changes",
            find=partial(retention.find_old_changes, cutoff=cutoff, keep_per_job=conf.get().keep_changes_per_job),
            delete=lambda page: retention.delete_changes(changes=page),
            after=0,
            batch=Batch(batch_size),
            dry_run=dry_run,
        ),
        _sweep(
            what="nodes",
            find=partial(retention.find_gone_nodes, cutoff=cutoff),
            delete=lambda page: retention.delete_nodes(nodes=page),
            after=UUID(int=0),
            batch=Batch(batch_size),
            dry_run=dry_run,
        ),
    )


def schedule_clean_up() -> bool:
    """
    Create the job that cleans up every night at three, in the project's time zone.

    False: some job cleans up, be it paused, or this one was deleted by somebody who does not want it.
    """
    if Job.objects.filter(task=CLEAN_UP_JOB).exists() or _was_deleted():
        return False
    try:
        jobs.create(
            id=CLEAN_UP_JOB,
            name="Clean up finished jobs and runs",
            task="scheduler.cleanup_jobs",
            trigger={"type": "cron", "expression": "0 3 * * *", "timezone": timezone.get_default_timezone_name()},
            replace_existing=True,  # of an installation before this one, stock's row may be left
        )
    except JobExists:
        return False
    return True


def _was_deleted() -> bool:
    return Change.objects.filter(job_key=CLEAN_UP_JOB, action=ChangeAction.DELETED).exists()


def _sweep_alerts(*, cutoff: datetime) -> Iterator[dict[str, int]]:
    TaskStreak.objects.filter(failed_at__lt=cutoff).delete()
    while deleted := retention.delete_incidents(cutoff=cutoff, limit=BATCH_SIZE):
        yield {"incidents": deleted}
    while retention.delete_notifications(cutoff=cutoff, limit=BATCH_SIZE):
        yield {"incidents": 0}


def _sweep_measures(*, now: datetime) -> Iterator[dict[str, int]]:
    """Delete old measures. As the last sweep, it also notes that the clean-up is done."""
    retention.delete_idempotency_keys(cutoff=now - _REPEATS)
    retention.fold_counters()
    retention.fold_queue_counters(now=now)
    cutoff = now - timedelta(days=conf.get().rollup_days)
    while deleted := retention.delete_rollups(cutoff=cutoff, limit=BATCH_SIZE):
        yield {"rollups": deleted}
    Installation.objects.update(cleaned_up_at=database_now())


def check(*, older_than_days: int, keep_per_job: int, output_days: int | None = None, batch_size: int) -> None:
    """:raises InvalidRetention: naming the number and what is allowed"""
    for name, value, low, high in (
        ("days", older_than_days, 1, 36_500),
        ("keep", keep_per_job, 0, 100_000),
        ("output_days", 1 if output_days is None else output_days, 1, 36_500),
        ("batch_size", batch_size, 1, 10_000),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InvalidRetention(f"{name} is “{value}”. It must be a whole number from {low:,} to {high:,}.")


def _sweep(
    *,
    what: str,
    find: Callable[..., Sequence[Any]],
    delete: Callable[[Sequence[Any]], int],
    after: Any,
    batch: Batch,
    dry_run: bool,
) -> Iterator[dict[str, int]]:
    """Go through rows by id. Each page is read once, even if its rows could not be deleted."""
    while page := find(after=after, limit=batch.size):
        after = page[-1]
        yield {what: len(page) if dry_run else batch.time(partial(delete, page))}


def _sweep_runs(*, cutoff: datetime, keep_per_job: int, batch: Batch, dry_run: bool) -> Iterator[dict[str, int]]:
    """Go through the ledger by id, from its beginning to the first page that is all new."""
    after = 0
    while True:
        page = retention.find_old_runs(after=after, cutoff=cutoff, keep_per_job=keep_per_job, limit=_PAGE_ROWS)
        if page.last_id is None:
            return
        yield {"runs_seen": page.seen, "runs": len(page.runs) if dry_run else 0}
        remaining = () if dry_run else page.runs
        while remaining:
            chunk, remaining = remaining[: batch.size], remaining[batch.size :]
            yield {"runs": batch.time(partial(retention.delete_runs, runs=chunk))}
        if not page.holds_old_rows:
            return
        after = page.last_id
