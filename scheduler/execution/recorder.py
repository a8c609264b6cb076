"""The recorder: one thread that writes the outcomes of runs, many per statement."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic_ns

import psycopg2

from scheduler.core.states import RunState
from scheduler.execution.batching import Batcher
from scheduler.execution.pools import Identity
from scheduler.store import runs
from scheduler.store.connections import Connection
from scheduler.store.runs import Outcome

logger = logging.getLogger(__name__)


class Recorder:
    """
    Writes outcomes, guarded by "this run is still mine".

    ``settled`` is told which runs are off this node's hands: recorded, or no longer its own. ``released`` is called
    when held runs wait in line because one of their job has ended.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        settled: Callable[[Sequence[int]], None],
        released: Callable[[], None],
        gather_seconds: float,
        rows: int,
        backlog: int,
    ) -> None:
        self._identity = identity
        self._settled = settled
        self._released = released
        self._connection = Connection(purpose="recorder")
        self.batcher: Batcher[Outcome] = Batcher(
            name="scheduler-recorder", flush=self._flush, gather_seconds=gather_seconds, rows=rows, backlog=backlog
        )
        self.refused = 0
        """Outcomes of runs that were no longer this node's."""

    def put(self, outcome: Outcome) -> None:
        self.batcher.put(outcome)

    def start(self) -> None:
        self.batcher.start()

    def stop(self, *, timeout: float) -> bool:
        everything_written = self.batcher.stop(timeout=timeout)
        self._connection.close()
        return everything_written

    def _flush(self, outcomes: Sequence[Outcome]) -> None:
        recorded = self._write(outcomes)
        missing = [outcome.run_id for outcome in outcomes if outcome.run_id not in recorded]
        if missing:
            # The answer to an earlier COMMIT was lost: what this node finished already is no refusal.
            recorded |= runs.settled(self._connection, runs=missing, node=self._identity.node)
            missing = [run_id for run_id in missing if run_id not in recorded]
        if missing:
            self.refused += len(missing)
            logger.warning("scheduler.runs.outcome_too_late", extra={"runs": missing[:20], "count": len(missing)})
        self._settled([outcome.run_id for outcome in outcomes])
        if runs.release_held(self._connection):
            self._released()

    def _write(self, outcomes: Sequence[Outcome]) -> frozenset[int]:
        """Write a batch; if PostgreSQL refuses a value, write the halves, down to the bad row with a placeholder."""
        try:
            return runs.finish(
                self._connection, outcomes=outcomes, node=self._identity.node, clock=monotonic_ns() // 1000
            )
        except (psycopg2.DataError, psycopg2.ProgrammingError, ValueError) as error:
            if len(outcomes) > 1:
                middle = len(outcomes) // 2
                return self._write(outcomes[:middle]) | self._write(outcomes[middle:])
            return runs.finish(
                self._connection,
                outcomes=[_placeholder(outcomes[0], error)],
                node=self._identity.node,
                clock=monotonic_ns() // 1000,
            )


def _placeholder(outcome: Outcome, reason: Exception) -> Outcome:
    """Keep how the run ended; say that its words could not be stored."""
    note = f"(what this run reported could not be stored: {type(reason).__name__})"
    return replace(outcome, result=None, error=None if outcome.state is RunState.SUCCEEDED else note, traceback="")
