"""The recorder: one thread that writes the outcomes of runs, many per statement."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

from scheduler.core.states import RunState
from scheduler.errors import StatementCancelled
from scheduler.execution.batching import Batcher
from scheduler.execution.pools import Identity
from scheduler.execution.runner import now_microseconds
from scheduler.loops import Share
from scheduler.store.recording import finishing, held_runs, rollups
from scheduler.store.recording.finishing import FollowUps, Note, Outcome, Recorded
from scheduler.store.sessions.connections import Connection, concerns_rows
from scheduler.store.sessions.halving import in_halves
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)

_GROUP_CHARACTERS = 4 * 1024 * 1024
"""Most text in one write, so that it is over before a statement may take no longer."""

_CAREFUL_SECONDS = 60.0
"""For so long after a row was found locked, each batch passes locked rows by: that costs a statement more."""

_BACKLOG_CHARACTERS = 64 * 1024 * 1024
"""Most text that is kept while the database is away: beyond it executors wait, as they do for too many rows."""


class Recorder:
    """
    Writes outcomes, guarded by "this run is still mine".

    ``settled`` is told which runs are off this node's hands: recorded, or no longer its own. ``released`` is called
    when held runs wait in line because one of their job has ended.
    """

    refused = 0
    """Outcomes of runs that were no longer this node's."""

    def __init__(
        self,
        *,
        identity: Identity,
        settled: Callable[[Sequence[Outcome]], None],
        released: Callable[[], None],
        gather_seconds: float,
        rows: int,
        backlog: int,
    ) -> None:
        self._identity = identity
        self._settled = settled
        self._released = released
        self.connection = Connection(purpose="recorder")
        self.read_clock = now_microseconds
        self.batcher: Batcher[Outcome | Note] = Batcher(
            name="scheduler-recorder",
            flush=self._flush,
            gather_seconds=gather_seconds,
            rows=rows,
            backlog=backlog,
            weigh=_characters,
            group_weight=_GROUP_CHARACTERS,
            backlog_weight=_BACKLOG_CHARACTERS,
        )
        self._to_reset: frozenset[int] = frozenset()
        """Successes whose jobs still count the failures before them: somebody had locked these jobs."""

        self._uncounted: frozenset[int] = frozenset()
        """Runs that are recorded and in no roll-up yet: somebody had locked the roll-up."""

        self._held_share = Share(quick_seconds=0.1, rest=5)
        """Held runs are looked at. The loop of the node makes up for what is left out."""

        self._careful_until = 0.0
        self._node = identity.node
        """The id under which the runs were taken whose outcomes are being written."""

        self._is_unsure = False
        """Whether some of the oldest outcomes may be recorded: the answer to their COMMIT did not come."""

    def add(self, outcome: Outcome) -> None:
        self.batcher.add(outcome)

    def record(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """Record outcomes in this thread, and return those whose rows somebody else has locked."""
        return self._flush(outcomes)

    def note(self, note: Note) -> None:
        """
        Record progress or log lines of a run that still runs, together with the next outcomes.

        It never blocks: a task that logs must not stand still because the database is away.
        """
        self.batcher.offer(note)

    @property
    def oldest_seconds(self) -> float:
        """Return the seconds since the end of the run whose outcome has waited longest, or 0 if none waits."""
        ended = [item.finished for item in self.batcher.snapshot() if isinstance(item, Outcome)]
        return max(0.0, time.monotonic_ns() / 1e9 - min(ended) / 1e6) if ended else 0.0

    def start(self) -> None:
        self.batcher.start()

    def stop(self, *, timeout: float) -> bool:
        everything_written = self.batcher.stop(timeout=timeout)
        self.connection.close()
        return everything_written

    def _flush(self, items: Sequence[Outcome | Note]) -> Sequence[Outcome]:
        """Write all that can be written now and return the rest."""
        again: list[Outcome] = []
        for node, own in self._by_taking(items):
            self._node = node
            outcomes = [item for item in own if isinstance(item, Outcome)]
            if len(outcomes) < len(own):
                ended = {outcome.run_id for outcome in outcomes}
                notes = {item.run_id: item for item in own if isinstance(item, Note) and item.run_id not in ended}
                if notes:
                    self._show(list(notes.values()))
            if outcomes:
                again += self._record(outcomes)
        return again

    def _by_taking(self, items: Sequence[Outcome | Note]) -> Iterable[tuple[str, Sequence[Outcome | Note]]]:
        """
        Group what bodies said by the id under which the node took their runs.

        A node that was taken for dead goes on under another id, and may take a run again of which an earlier body still
        lives here. That body speaks for its own taking only.
        """
        present = self._identity.node
        former = {item.node for item in items} - {"", present}
        if not former:
            return [(present, items)]
        groups = [(node, [item for item in items if item.node == node]) for node in sorted(former)]
        return [*groups, (present, [item for item in items if item.node not in former])]

    def _show(self, notes: list[Note]) -> None:
        try:
            finishing.note(self.connection, notes=notes, node=self._node)
        except Exception as error:  # what a run shows meanwhile is not worth holding up what became of others
            if not concerns_rows(error):
                raise
            logger.warning(events.RUNS_NOTES_REFUSED, extra={"count": len(notes), "error": str(error)})

    def _record(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        if self._to_reset:  # before failures are counted that came later
            self._to_reset = finishing.recount_failures(self.connection, runs=self._to_reset)
        if self._is_unsure:
            self._make_sure(outcomes)
        self._is_unsure = True
        written = self._write(outcomes)
        self._is_unsure = False
        recorded, followed = written.runs, written.followed
        again = [outcome for outcome in outcomes if outcome.run_id in written.locked]
        if again:
            outcomes = [outcome for outcome in outcomes if outcome.run_id not in written.locked]
        missing = [outcome.run_id for outcome in outcomes if outcome.run_id not in recorded]
        if missing:
            # The answer to an earlier COMMIT was lost: what this node finished already is no refusal.
            settled = finishing.settled(self.connection, runs=missing, node=self._node)
            recorded, followed = recorded | settled, followed | settled  # their streaks are counted already
            missing = [run_id for run_id in missing if run_id not in recorded]
        if missing:
            self.refused += len(missing)
            logger.warning(events.RUNS_OUTCOME_TOO_LATE, extra={"runs": missing[:20], "count": len(missing)})
        self._settled(outcomes)
        self._follow(recorded, followed)
        return again

    def _make_sure(self, outcomes: Sequence[Outcome]) -> None:
        """Count failures in a row by what was recorded when the answer was lost, before later failures are counted."""
        settled = finishing.settled(self.connection, runs=[item.run_id for item in outcomes], node=self._node)
        if settled:
            self._to_reset |= finishing.recount_failures(self.connection, runs=settled)

    def _follow(self, recorded: frozenset[int], followed: frozenset[int]) -> None:
        """Do what follows from outcomes that are recorded: a failure of it is made up for by the loop of the node."""
        try:
            follow_ups = self._follow_ups()
            if follow_ups.resets:
                self._to_reset |= finishing.reset_failures(self.connection, runs=recorded - followed)
            if follow_ups.task_resets:
                finishing.end_task_streaks(self.connection, runs=recorded)
            if self._uncounted:
                self._uncounted = rollups.count(self.connection, runs=self._uncounted, node=self._node)
            if follow_ups.releases:
                self._release_behind(recorded)
            rollups.fold(self.connection, node=self._node)
        except Exception as error:  # noqa: BLE001 - the outcomes are in the ledger: they must not be written again
            logger.warning(events.RECORDER_FOLLOWS_LATER, extra={"error": str(error)[:500]})

    def _follow_ups(self) -> FollowUps:
        if not self._held_share.is_due:
            return finishing.follow_ups(self.connection, held=False)
        with self._held_share.spent():
            return finishing.follow_ups(self.connection)

    def _release_behind(self, recorded: frozenset[int]) -> None:
        with self._held_share.spent():
            released = held_runs.release_behind(self.connection, runs=recorded)
        if released:
            self._released()

    def _write(self, outcomes: Sequence[Outcome]) -> Recorded:
        """Write a batch, with care if one of its rows makes that fail."""
        if time.monotonic() >= self._careful_until:
            try:
                return self._finish(outcomes)
            except Exception as error:  # whatever one row makes it raise, the others are recorded
                if not concerns_rows(error):
                    raise
                if isinstance(error, StatementCancelled):  # somebody has locked a row, and may go on to
                    self._careful_until = time.monotonic() + _CAREFUL_SECONDS
                logger.warning(events.RECORDER_CAREFUL, extra={"rows": len(outcomes), "error": str(error)[:500]})
        left: list[int] = []
        written = in_halves(
            sorted(outcomes, key=_finished),  # a part is counted before the next one
            self._finish_with_care,
            self._set_apart,
            pass_by=lambda outcome: left.append(outcome.run_id),
        )
        return Recorded(
            runs=frozenset().union(*(part.runs for part in written)),
            locked=frozenset(left).union(*(part.locked for part in written)),
            followed=frozenset().union(*(part.followed for part in written)),
        )

    def _finish_with_care(self, outcomes: Sequence[Outcome]) -> Recorded:
        """Record the runs that are not locked, and count them afterwards: uncounted ones have ended all the same."""
        written = self._finish(outcomes, with_care=True)
        self._uncounted |= rollups.count(self.connection, runs=written.runs, node=self._node)
        self._to_reset |= finishing.recount_failures(self.connection, runs=written.runs - written.followed)
        return dataclasses.replace(written, followed=written.runs)

    def _set_apart(self, outcome: Outcome, error: Exception) -> None:
        """Record the one outcome that cannot be, without its words."""
        try:
            self._finish([_placeholder(outcome, error)], with_care=True)
        except Exception as refused:  # its row is odd, not its words
            if not concerns_rows(refused):
                raise
            finishing.set_apart(self.connection, run=outcome.run_id, node=self._node, state=outcome.state, error=error)

    def _finish(self, outcomes: Sequence[Outcome], *, with_care: bool = False) -> Recorded:
        recorded = finishing.finish(
            self.connection,
            outcomes=outcomes,
            node=self._node,
            clock=self.read_clock(),
            with_care=with_care,
        )
        for job_id, failures in recorded.paused:
            logger.warning(events.JOB_PAUSED, extra={"job": job_id, "failures_in_a_row": failures})
        if recorded.retried:
            self._released()
        return recorded


_finished = attrgetter("finished")


def _characters(item: Outcome | Note) -> int:
    """Return how much text an outcome or a note carries, roughly."""
    if isinstance(item, Note):
        return len(item.log)
    return len(item.log) + len(item.traceback) + (len(item.result) if item.result else 0)


def _placeholder(outcome: Outcome, reason: Exception) -> Outcome:
    """Keep the state of an outcome, and replace its texts by the reason why they could not be stored."""
    note = f"(what this run reported could not be stored: {type(reason).__name__})"
    return outcome._replace(
        result=None,
        error=None if outcome.state in (RunState.SUCCEEDED, RunState.SKIPPED) else note,
        traceback="",
        log=note,
        progress=None,
        reason=None,
    )
