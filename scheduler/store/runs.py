"""The ledger: taking, starting, finishing and giving back runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scheduler.core.states import RunState
from scheduler.store.connections import Connection, array, texts


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedRun:
    """A run that this node owns and may start."""

    id: int
    job_id: str | None
    job_name: str
    task: str
    args: str
    """JSON."""

    kwargs: str
    """JSON."""

    scheduled_at: datetime
    attempt: int
    executor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended. Times are readings of the node's monotonic clock, in microseconds."""

    run_id: int
    state: RunState
    started: int
    finished: int
    result: str | None = None
    """JSON."""

    error: str | None = None
    traceback: str = ""
    value: Any = None
    """What the body returned, for listeners in this process; not recorded."""

    @property
    def is_plain(self) -> bool:
        """A success with nothing to tell."""
        return self.state is RunState.SUCCEEDED and self.result is None


def take(
    connection: Connection,
    *,
    node: str,
    executor: str,
    tasks: Collection[str],
    limit: int,
    now: datetime | None = None,
) -> tuple[OwnedRun, ...]:
    """Make up to ``limit`` waiting runs of an executor this node's own: highest priority first, then the oldest."""
    rows = connection.execute("take_runs", node=node, executor=executor, tasks=list(tasks), limit=limit, now=now)
    return tuple(
        OwnedRun(
            id=id_,
            job_id=job_id,
            job_name=job_name,
            task=task,
            args=args,
            kwargs=kwargs,
            scheduled_at=scheduled_at,
            attempt=attempt,
            executor=executor_,
        )
        for id_, job_id, job_name, task, args, kwargs, scheduled_at, attempt, executor_ in rows
    )


def start(connection: Connection, *, runs: Iterable[int], node: str, now: datetime | None = None) -> frozenset[int]:
    """Pass the start gate. Only the runs whose ids are returned may begin."""
    rows = connection.execute("start_runs", runs=array(list(runs)), node=node, now=now)
    return frozenset(run_id for (run_id,) in rows)


def finish(
    connection: Connection, *, outcomes: Sequence[Outcome], node: str, clock: int, now: datetime | None = None
) -> frozenset[int]:
    """
    Record outcomes in one transaction and return the ids that were still this node's.

    ``clock`` is the reading of the monotonic clock that the ages are counted from.
    """
    plain = [outcome for outcome in outcomes if outcome.is_plain]
    detailed = [outcome for outcome in outcomes if not outcome.is_plain]
    recorded: list[tuple] = []
    with connection.transaction() as transaction:
        if plain:
            recorded += transaction.execute("succeed_runs", node=node, now=now, **_ages(plain, clock))
        if detailed:
            recorded += transaction.execute(
                "finish_runs",
                node=node,
                now=now,
                states=array([outcome.state.value for outcome in detailed]),
                results=texts([outcome.result for outcome in detailed]),
                errors=texts([outcome.error for outcome in detailed]),
                tracebacks=texts([outcome.traceback for outcome in detailed]),
                **_ages(detailed, clock),
            )
    return frozenset(run_id for (run_id,) in recorded)


def _ages(outcomes: Sequence[Outcome], clock: int) -> dict[str, str]:
    return {
        "runs": array([outcome.run_id for outcome in outcomes]),
        "started_ages": array([clock - outcome.started for outcome in outcomes]),
        "finished_ages": array([clock - outcome.finished for outcome in outcomes]),
    }


def settled(connection: Connection, *, runs: Iterable[int], node: str) -> frozenset[int]:
    """Return those of the runs that this node has finished."""
    return frozenset(run_id for (run_id,) in connection.execute("settled_runs", runs=array(list(runs)), node=node))


def give_back(connection: Connection, *, runs: Iterable[int], node: str) -> frozenset[int]:
    """Return runs whose bodies have not begun to the queue. The caller vouches for that."""
    return frozenset(run_id for (run_id,) in connection.execute("give_back_runs", runs=array(list(runs)), node=node))


def owned(connection: Connection, *, node: str) -> dict[int, RunState]:
    """Return the active runs that the database believes to be this node's."""
    return {run_id: RunState(state) for run_id, state in connection.execute("owned_runs", node=node)}


def release_held(connection: Connection, *, now: datetime | None = None) -> int:
    """Let held runs wait in line where their job has room again; return how many."""
    with connection.transaction() as transaction:
        jobs = [job_id for (job_id,) in transaction.execute("lock_jobs_with_held_runs", now=now)]
        if not jobs:
            return 0
        return len(transaction.execute("release_held_runs", jobs=texts(jobs), now=now))


@dataclass(frozen=True, slots=True, kw_only=True)
class NextDue:
    """How long until something is due, in seconds; negative: it is overdue; ``None``: there is nothing."""

    job: float | None
    run: float | None
    """A waiting run that this node may take."""


def next_due(
    connection: Connection, *, tasks: Collection[str], executors: Collection[str], now: datetime | None = None
) -> NextDue:
    """Ask when the next job is due and when the next waiting run may start, of those that this node may take."""
    ((job_seconds, run_seconds),) = connection.execute(
        "next_due", tasks=list(tasks), executors=list(executors), now=now
    )
    return NextDue(job=job_seconds, run=run_seconds)
