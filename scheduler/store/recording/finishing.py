"""Finishing runs: outcomes are recorded in groups, and with them retries, failures in a row and held runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from scheduler import failpoints
from scheduler.core import text
from scheduler.core.states import RunState
from scheduler.messages import Message
from scheduler.store.recording import rollups
from scheduler.store.recording.consequences import Consequences, follow_up
from scheduler.store.sessions.connections import Connection, Row, array, reason_columns, texts
from scheduler.store.sessions.transaction import Transaction

_QUICK_SECONDS = 0.2
"""The longest wait of recording for rows, after which it passes locked rows by."""

_LONGEST_ERROR = 2000
"""Characters that are kept of why a run was set apart."""


class Outcome(NamedTuple):
    """The end of a run. Times are readings of the node's monotonic clock, in microseconds."""

    run_id: int
    state: RunState
    started: int
    finished: int
    result: str | None = None
    """JSON."""

    error: str | None = None
    traceback: str = ""
    reason: Message | None = None
    log: str = ""
    progress: str | None = None
    """JSON; ``None``: as it was."""

    retry_after_seconds: float | None = None
    """The task asked to be run again after so long."""

    value: Any = None
    """The return value of the body, for listeners in this process. It is not recorded."""

    node: str = ""
    """The id under which the node began it. Empty: its present one."""

    def __str__(self) -> str:
        """Return the number of the run, for logs: what the run said may be long, and is not theirs."""
        return str(self.run_id)

    @property
    def is_plain(self) -> bool:
        """Return whether it is a success without a result, a log or other details."""
        return self.state is RunState.SUCCEEDED and self.result is None and not self.log and self.progress is None

    @property
    def is_failure(self) -> bool:
        """Return whether it may be tried again."""
        return self.state in (RunState.FAILED, RunState.TIMED_OUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Progress and log lines of a run that still runs."""

    run_id: int
    progress: str | None
    """JSON; ``None``: as it was."""

    log: str

    node: str = ""
    """The id under which the node began it. Empty: its present one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The result of recording a batch of outcomes."""

    runs: frozenset[int]
    """Those that were still this node's."""

    locked: frozenset[int] = frozenset()
    """Those that were left out, because somebody else has locked them or their job: to be tried again."""

    retried: int = 0
    paused: tuple[tuple[str, int], ...] = ()
    """Jobs that failed too often in a row, with the number of failures."""

    followed: frozenset[int] = frozenset()
    """Successes that a later failure of the same job follows: they have ended the failures in a row before it."""


def finish(
    connection: Connection,
    *,
    outcomes: Sequence[Outcome],
    node: str,
    clock: int,
    with_care: bool = False,
    now: datetime | None = None,
) -> Recorded:
    """
    Record outcomes in one transaction, with the consequences of failures: retries, and jobs that are paused.

    ``clock`` is the reading of the monotonic clock that the ages are counted from. Outcomes of runs that are no longer
    this node's are dropped. A failure whose job is locked is left out, so that the others need not wait for it.
    ``with_care`` leaves locked runs out as well, and does not count in roll-ups.

    :raises StatementCancelled: rows are locked or it takes too long: try it with care
    """
    # By id, as a reaper goes through them that takes this node for dead: else each could wait for the other.
    outcomes = sorted(outcomes, key=_run_id)
    failures = [outcome.run_id for outcome in outcomes if outcome.is_failure]
    consequences = Consequences()
    with connection.transaction(lock_seconds=None if with_care else _QUICK_SECONDS) as transaction:
        locked = _locked_by_others(transaction, outcomes, failures=failures, with_care=with_care)
        if locked:
            outcomes = [outcome for outcome in outcomes if outcome.run_id not in locked]
        recorded = _write(transaction, outcomes, node=node, clock=clock, now=now)
        if failures:
            ended = [outcome for outcome in outcomes if outcome.run_id in recorded]
            consequences = follow_up(transaction, ended=ended, now=now)
        if not with_care:
            rollups.roll_up(transaction, runs=recorded, node=node)
        failpoints.hit("finish.before_commit")
    failpoints.hit("finish.after_commit")
    return Recorded(runs=recorded, locked=locked, **asdict(consequences))


def _locked_by_others(
    transaction: Transaction, outcomes: Sequence[Outcome], *, failures: Sequence[int], with_care: bool
) -> frozenset[int]:
    """Lock the jobs of failures, and with care all runs. Return the runs for which this would have to wait."""
    locked: frozenset[int] = frozenset()
    if failures:
        passed_by = transaction.execute("lock_jobs_of_runs", runs=array(failures))
        locked = frozenset(run_id for (run_id,) in passed_by)
    if with_care:
        ids = frozenset(outcome.run_id for outcome in outcomes)
        free = transaction.execute("lock_runs", runs=array(sorted(ids - locked)))
        locked = ids - frozenset(run_id for (run_id,) in free)
    return locked


def _write(
    transaction: Transaction, outcomes: Sequence[Outcome], *, node: str, clock: int, now: datetime | None
) -> frozenset[int]:
    """Write the outcomes of runs that are still this node's, and return these runs."""
    rows: list[Row] = []
    plain: list[Outcome] = []
    detailed: list[Outcome] = []
    for outcome in outcomes:
        (plain if outcome.is_plain else detailed).append(outcome)
    if plain:
        rows += transaction.execute("succeed_runs", node=node, now=now, **_ages(plain, clock))
    if detailed:
        rows += transaction.execute("finish_runs", node=node, now=now, **_details(detailed), **_ages(detailed, clock))
    return frozenset(run_id for (run_id,) in rows)


_run_id = attrgetter("run_id")


def _details(outcomes: Sequence[Outcome]) -> dict[str, str | None]:
    return {
        "states": array([outcome.state.value for outcome in outcomes]),
        "results": texts([outcome.result for outcome in outcomes]),
        "errors": texts([outcome.error for outcome in outcomes]),
        "tracebacks": texts([outcome.traceback for outcome in outcomes]),
        "logs": texts([outcome.log for outcome in outcomes]),
        "progress": texts([outcome.progress for outcome in outcomes]),
        **reason_columns([outcome.reason for outcome in outcomes]),
    }


def set_apart(connection: Connection, *, run: int, state: RunState, error: Exception, node: str | None = None) -> bool:
    """
    End a run that makes every statement fail, with values that every column accepts.

    Return false if it is locked. With ``node``, only if it is this node's. It gets no further attempt, and is left out
    of roll-ups.
    """
    said = text.storable(f"It could not be dealt with ({type(error).__name__}: {error}).", most=_LONGEST_ERROR)
    return bool(connection.execute("set_run_apart", run=run, node=node, state=state.value, error=said))


def note(connection: Connection, *, notes: Sequence[Note], node: str) -> None:
    """Show how far runs are that still run."""
    connection.execute(
        "note_runs",
        node=node,
        runs=array([item.run_id for item in notes]),
        progress=texts([item.progress for item in notes]),
        logs=texts([item.log for item in notes]),
    )


class FollowUps(NamedTuple):
    """Work that outcomes may require. Its fields are the columns of ``find_follow_ups``."""

    resets: bool
    """Some job counts failures in a row, which a success ends."""

    releases: bool
    """Some run is held, which the end of another may release."""

    task_resets: bool
    """Some enqueued task fails, which a success ends."""


def follow_ups(connection: Connection, *, held: bool = True) -> FollowUps:
    """
    Return what may follow from outcomes that are recorded. Most outcomes require no further work.

    ``held``: whether to look at held runs as well.
    """
    return FollowUps._make(connection.execute("find_follow_ups", held=held)[0])


def reset_failures(connection: Connection, *, runs: Iterable[int]) -> frozenset[int]:
    """
    Let the successes among these runs end their jobs' count of failures in a row.

    Those whose job somebody else has locked are returned: to be tried again.
    """
    rows = connection.execute("reset_failures", runs=array(list(runs)), recount=False)
    return frozenset(run_id for (run_id,) in rows)


def end_task_streaks(connection: Connection, *, runs: Iterable[int]) -> None:
    """Let the successes among these enqueued runs end the failures in a row of their tasks."""
    connection.execute("end_task_streaks", runs=array(list(runs)))


def recount_failures(connection: Connection, *, runs: Iterable[int]) -> frozenset[int]:
    """
    As ``reset_failures``, by the times in the ledger: failures after the success stay counted.

    For successes of which it is not known what was recorded with them.
    """
    rows = connection.execute("reset_failures", runs=array(list(runs)), recount=True)
    return frozenset(run_id for (run_id,) in rows)


def _ages(outcomes: Sequence[Outcome], clock: int) -> dict[str, str]:
    return {
        "runs": array([outcome.run_id for outcome in outcomes]),
        "started_ages": array([clock - outcome.started for outcome in outcomes]),
        "finished_ages": array([clock - outcome.finished for outcome in outcomes]),
    }


def settled(connection: Connection, *, runs: Iterable[int], node: str) -> frozenset[int]:
    """Return those of the runs that this node has finished."""
    return frozenset(run_id for (run_id,) in connection.execute("settled_runs", runs=array(list(runs)), node=node))
