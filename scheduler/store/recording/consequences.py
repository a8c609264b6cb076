"""Consequences of failures, in the transaction that records them: retries, counts, and jobs that are paused."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.core import reasons
from scheduler.core.retries import RetryPolicy, delay_before_retry
from scheduler.core.states import RunState
from scheduler.store.sessions.connections import array, reason_columns, texts
from scheduler.store.sessions.transaction import Transaction

if TYPE_CHECKING:
    from scheduler.store.recording.finishing import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """See ``Recorded``."""

    retried: int = 0
    paused: tuple[tuple[str, int], ...] = ()
    followed: frozenset[int] = frozenset()


def follow_up(transaction: Transaction, *, ended: Sequence[Outcome], now: datetime | None) -> Consequences:
    """Queue retries, count the failures that are final, and pause jobs with too many in a row."""
    failed = {outcome.run_id: outcome for outcome in ended if outcome.is_failure}
    delays: dict[int, float] = {}
    final: list[tuple[str, int]] = []
    lost: list[int] = []
    for run_id, job_id, attempt, *policy in transaction.execute("retry_policies", runs=array(list(failed))):
        seconds = failed[run_id].retry_after_seconds
        delay = delay_before_retry(
            policy=_retry_policy(*policy),
            attempt=attempt,
            asked_after=None if seconds is None else timedelta(seconds=seconds),
            chance=random.random(),  # noqa: S311 - it spreads load and keeps no secret
        )
        if delay is not None:
            delays[run_id] = delay.total_seconds()
        elif job_id is not None:
            final.append((job_id, failed[run_id].finished))
        else:
            lost.append(run_id)
    if delays:
        transaction.execute("insert_retries", runs=array(list(delays)), delays=array(list(delays.values())), now=now)
    if lost:
        _count_of_tasks(transaction, ended=ended, lost=lost)
    followed: dict[int, tuple[str, int]] = {}
    if final:
        followed = _end_streaks(transaction, ended=ended, final=final)
    return Consequences(
        retried=len(delays),
        paused=_count(transaction, jobs=_in_a_row(final, followed.values()), now=now),
        followed=frozenset(followed),
    )


def _count_of_tasks(transaction: Transaction, *, ended: Sequence[Outcome], lost: Sequence[int]) -> None:
    """Count final failures of enqueued runs, after the successes beside them have ended the failures before."""
    succeeded = array([outcome.run_id for outcome in ended if outcome.state is RunState.SUCCEEDED])
    transaction.execute("end_task_streaks", runs=succeeded)
    transaction.execute("count_task_failures", failed=array(lost), succeeded=succeeded)


def _end_streaks(
    transaction: Transaction, *, ended: Sequence[Outcome], final: Sequence[tuple[str, int]]
) -> dict[int, tuple[str, int]]:
    """Let successes end the failures before them where failures follow. Return these with their job and their end."""
    succeeded = [outcome for outcome in ended if outcome.state is RunState.SUCCEEDED]
    if not succeeded:
        return {}
    rows = transaction.execute(
        "end_streaks",
        runs=array([outcome.run_id for outcome in succeeded]),
        succeeded=array([outcome.finished for outcome in succeeded]),
        jobs=texts([job_id for job_id, _ in final]),
        failed=array([finished for _, finished in final]),
    )
    return {run_id: (job_id, finished) for run_id, job_id, finished in rows}


def _in_a_row(final: Iterable[tuple[str, int]], followed: Iterable[tuple[str, int]]) -> list[str]:
    """Return the jobs of the failures, but of those that came before a success that another failure follows."""
    succeeded: dict[str, int] = {}
    for job_id, finished in followed:
        succeeded[job_id] = max(finished, succeeded.get(job_id, finished))
    return [job_id for job_id, finished in final if job_id not in succeeded or finished > succeeded[job_id]]


def _count(transaction: Transaction, *, jobs: Sequence[str], now: datetime | None) -> tuple[tuple[str, int], ...]:
    """Count final failures, one for each time that a job is named, and pause those with too many. Return these."""
    if not jobs:
        return ()
    paused = tuple((job_id, failures) for job_id, failures in transaction.execute("count_failures", jobs=texts(jobs)))
    if paused:
        transaction.execute(
            "pause_failing_jobs",
            jobs=texts([job_id for job_id, _ in paused]),
            **reason_columns([reasons.FAILED_IN_A_ROW(number=count) for _, count in paused]),
            now=now,
        )
    return paused


def _retry_policy(max_retries: int, delay: float, backoff: float, cap: float, jitter: float) -> RetryPolicy:
    return RetryPolicy(
        max_retries=max_retries,
        delay=timedelta(seconds=delay),
        backoff=backoff,
        delay_cap=timedelta(seconds=cap),
        jitter=jitter,
    )
