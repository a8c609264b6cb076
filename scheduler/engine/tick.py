"""The tick: take waiting runs, claim due jobs, start what the executors have room for, say how long to sleep."""

from __future__ import annotations

import logging
import time
from typing import Protocol

from scheduler import failpoints
from scheduler.conf import SchedulerSettings
from scheduler.core.planning import PlannedRun
from scheduler.core.registry import registry
from scheduler.core.states import RunState
from scheduler.engine.heartbeat import Lease
from scheduler.engine.identity import Identity
from scheduler.engine.inspection import break_jobs_without_a_task, inspect_jobs
from scheduler.engine.pauses import end_pauses
from scheduler.engine.workload import MARK_SECONDS, Workload
from scheduler.engine.zones import compute_by_current_zones
from scheduler.errors import DatabaseUnavailable
from scheduler.store import claims, notifications, runs
from scheduler.store.claims import Claim, DueJob
from scheduler.store.connections import Connection
from scheduler.store.held_runs import HeldRuns
from scheduler.store.notifications import Channel
from scheduler.store.positions import Positions
from scheduler.store.runs import Outcome, OwnedRun

logger = logging.getLogger(__name__)

_SPILL_SECONDS = 0.1
"""Other nodes hear of waiting runs at most this often."""

_INSPECT_SECONDS = 60.0

_MERGE_SECONDS = 0.05
"""Hints about definitions that come sooner after one another are followed together: a flood of edits is no storm."""

_LOCKED_SECONDS = 0.05
"""How soon to ask again for due work that somebody else has locked: another node for a moment, a person for longer."""

_ZONES_SECONDS = 24 * 3600.0
"""How often a node looks whether the system has other rules for time zones."""

_SWEEP_SECONDS = 60.0
"""How often a node looks for what no change announces: a task that the last node offered, a job deleted by SQL."""


_SWEEP_ROWS = 500
"""Rows of the ledger that one pass cleans up."""


class Events(Protocol):
    """Who wants to know what the node does. Called in its threads, so every call returns at once."""

    def submitted(self, run: OwnedRun) -> None: ...

    def born_finished(self, job: DueJob, row: PlannedRun) -> None: ...

    def ended(self, run: OwnedRun, outcome: Outcome) -> None: ...


class Tick:
    """One pass of a node's loop. All its calls come from one thread."""

    def __init__(
        self,
        *,
        identity: Identity,
        settings: SchedulerSettings,
        workload: Workload,
        lease: Lease,
        events: Events,
    ) -> None:
        self._identity = identity
        self._settings = settings
        self._workload = workload
        self._lease = lease
        self._events = events
        self.connection = Connection(purpose="tick")
        self._positions = Positions(whole_seconds=settings.poll_seconds)
        self._held = HeldRuns()
        self._more = dict.fromkeys(workload.pools, True)
        self._claim_at = 0.0
        self._claimed_at = 0.0
        self._took_at: float | None = None
        """When this pass asked for the waiting runs of every executor with room; ``None``: not of every one."""

        self._ask_at = 0.0
        self._ask_again = True
        self._reconcile_at = time.monotonic() + settings.reconcile_seconds
        self._inspect_at = 0.0
        self._inspected_at = 0.0
        self._inspect_broken = True
        self._sweep_at = 0.0
        self._release_at = 0.0
        self._resume_at = 0.0
        self._resumed_at = 0.0
        self._cancel_at = 0.0
        self._zones_at = 0.0
        self._spilled_at = 0.0
        self.found_nothing = False
        """Whether the last pass saw that nothing was due, waiting or at hand."""

        self.progressed_at = time.monotonic()
        """When a pass last ended well, on the monotonic clock."""

    def hear(self, channels: frozenset[Channel]) -> None:
        """Take note of hints from the database."""
        if Channel.JOBS in channels:
            self._inspect_at = min(self._inspect_at, self._inspected_at + _MERGE_SECONDS)
            self._positions.forget_due()
        if Channel.RUNS in channels:
            self.look_for_runs()
        if Channel.CANCEL in channels:
            self._cancel_at = 0.0

    def look_for_runs(self) -> None:
        """Runs may wait that nobody told this node about in time: ask again. Called by any thread."""
        self._look_for_runs_again()
        self._ask_again = True

    def _look_for_runs_again(self) -> None:
        for executor in self._more:
            self._more[executor] = True

    def is_hungry(self, executor: str) -> bool:
        """Whether a pass would give this executor more work. Called by any thread."""
        return (self._more[executor] or self._workload.has_pending(executor)) and self._workload.runs_dry(executor)

    def run(self) -> float:
        """
        Do one pass and return how many seconds to sleep.

        :raises DatabaseUnavailable: what this node owns is compared with the database in the next pass
        """
        if not self._lease.is_valid:
            return self._settings.busy_poll_seconds
        try:
            self._look_after()
            self._take()
            pause = self._claim()
            self._start()
            self.found_nothing = pause > 0 and not any(self._more.values()) and self._workload.is_idle
        except DatabaseUnavailable:
            self._reconcile_at = 0.0
            raise
        self.progressed_at = time.monotonic()
        return pause

    def close(self) -> None:
        self.connection.close()

    def _look_after(self) -> None:
        now = time.monotonic()
        if now >= self._reconcile_at:
            self._reconcile()
            self._reconcile_at = time.monotonic() + self._settings.reconcile_seconds
        if now >= self._cancel_at:
            self._cancel_at = now + self._settings.reconcile_seconds
            for run_id in runs.to_cancel(self.connection, node=self._identity.node):
                self._workload.cancel(run_id)
        self._mark_started()
        if now >= self._resume_at:
            self._resume_at = now + self._settings.busy_poll_seconds
            self._resumed_at = now
            if end_pauses(self.connection, settings=self._settings):
                self._claim_at = 0.0
        if now >= self._zones_at:
            self._zones_at = now + _ZONES_SECONDS
            compute_by_current_zones(self.connection)
        if now >= self._inspect_at:
            self._inspected_at, self._inspect_at = now, now + _INSPECT_SECONDS
            self._claim_at = 0.0
            broken, self._inspect_broken = self._inspect_broken, False
            inspect_jobs(self.connection, settings=self._settings, broken=broken)
            self._positions.forget_due()  # what broke goes on from where it was
        if now >= self._sweep_at:
            self._sweep_at = now + _SWEEP_SECONDS
            break_jobs_without_a_task(self.connection)
            if runs.cancel_orphans(self.connection, limit=_SWEEP_ROWS) == _SWEEP_ROWS:
                self._sweep_at = now

    def _mark_started(self) -> None:
        """Show runs that skipped the gate as running once they last; those that were taken away are told to end."""
        lasting = self._workload.lasting_unmarked()
        if lasting:
            started = runs.start(self.connection, runs=lasting, node=self._identity.node)
            for run_id in set(lasting) - started:
                self._workload.cancel(run_id)

    def _take(self) -> None:
        self._took_at = time.monotonic()
        for executor, room in self._workload.room().items():
            if room <= 0:
                continue
            if not self._more[executor]:
                self._took_at = None
                continue
            # Put down before asking: another thread may raise it while the answer is on its way.
            self._more[executor] = False
            limit = min(room, self._settings.claim_batch)
            taken = runs.take(
                self.connection,
                node=self._identity.node,
                executor=executor,
                tasks=registry.names(),
                limit=limit,
            )
            self._workload.add(taken)
            if len(taken) >= limit:
                self._more[executor] = True

    def _claim(self) -> float:
        """Claim what is due, if anything can be; return the pause that follows."""
        now = time.monotonic()
        if now < self._claim_at:
            return self._sleep_until_due() if self._ask_again else self._pause(self._claim_at - now)
        self._claimed_at = now
        self._positions.look(self.connection)
        claim = claims.claim_due(
            self.connection,
            node=self._identity.node,
            tasks=registry.names(),
            limit=self._settings.claim_batch,
            room=self._workload.room(),
            catch_up_limit=self._settings.catch_up_limit,
            positions=self._positions,
        )
        self._workload.add(claim.owned)
        self._report(claim)
        if claim.waiting:
            self._spill()
        if claim.jobs >= self._settings.claim_batch:
            return 0.0
        if claim.next_seconds is not None and time.monotonic() < self._ask_at and not self._ask_again:
            # The claim has told when the next job is due; waiting runs were asked for a moment ago.
            self._claim_at = min(now + max(0.0, claim.next_seconds), self._ask_at)
            return self._pause(max(0.0, self._claim_at - time.monotonic()))
        return self._sleep_until_due()

    def _sleep_until_due(self) -> float:
        """Ask when anything is due that this node may take; return the pause until then."""
        self._ask_again = False
        room = self._workload.room()
        due = runs.next_due(
            self.connection,
            tasks=registry.names(),
            executors=[name for name in room if room[name] > 0],
            since=self._positions.due_from,
        )
        for executor in room:
            if room[executor] <= 0:
                self._more[executor] = True  # whether more waits for it is asked when a place is free again
        longest = self._settings.poll_seconds
        job_seconds = longest if due.job is None else min(_until(due.job, asked_at=self._claimed_at), longest)
        run_seconds = longest if due.run is None else _until(due.run, asked_at=self._took_at)
        held_seconds = longest if due.held is None else self._release(due.held)
        pause_seconds = longest if due.pause is None else self._until_resuming(due.pause)
        if due.run is not None and run_seconds <= job_seconds:
            self._look_for_runs_again()
        now = time.monotonic()
        pause = min(job_seconds, run_seconds, held_seconds, pause_seconds)
        self._claim_at = now + pause
        self._ask_at = now + max(pause, self._settings.busy_poll_seconds)
        if due.run or due.held or due.pause:  # neither absent nor due already: not to be slept over while claims go on
            self._ask_at = min(self._ask_at, now + min(run_seconds, held_seconds, pause_seconds))
        return self._pause(pause)

    def _until_resuming(self, seconds: float) -> float:
        """Plan to resume the job whose pause ends then; return how long that is. Another node may be at it just now."""
        now = time.monotonic()
        at = now + min(seconds, self._settings.poll_seconds)
        self._resume_at = max(at, self._resumed_at + self._settings.busy_poll_seconds)
        return max(0.0, self._resume_at - now)

    def _release(self, seconds: float) -> float:
        """
        Let held runs wait in line when their time comes; return how long until that may be.

        One whose job has no room stays held: its turn comes when another run of the job is recorded.
        """
        now = time.monotonic()
        if seconds > 0:
            return seconds
        if now >= self._release_at:
            self._release_at = now + self._settings.busy_poll_seconds
            if self._held.release(self.connection):
                self._look_for_runs_again()
                return 0.0
        return max(0.0, self._release_at - now)

    def _pause(self, seconds: float) -> float:
        if any(self.is_hungry(executor) and self._has_room(executor) for executor in self._workload.pools):
            return 0.0
        longest = self._settings.poll_seconds if self._workload.is_idle else self._settings.busy_poll_seconds
        if self._workload.has_unmarked:
            longest = MARK_SECONDS
        return min(seconds, longest, max(0.0, self._inspect_at - time.monotonic()))

    def _has_room(self, executor: str) -> bool:
        return self._workload.has_pending(executor) or self._workload.room()[executor] > 0

    def _spill(self) -> None:
        """Runs wait without a node: this one takes them when it has room, and others hear of them."""
        self._look_for_runs_again()
        now = time.monotonic()
        if now - self._spilled_at >= _SPILL_SECONDS:
            self._spilled_at = now
            notifications.notify_from(self.connection, Channel.RUNS)

    def _start(self) -> None:
        free, gated = self._workload.next_to_start()
        if gated:
            try:
                started = runs.start(self.connection, runs=[run.id for run in gated], node=self._identity.node)
            except BaseException:  # whatever it was: what is neither waiting nor started would be lost in memory
                self._workload.put_back(free, gated)
                raise
            failpoints.hit("run.after_gate")
            refused = [run.id for run in gated if run.id not in started]
            if refused:
                logger.warning(
                    "scheduler.runs.refused_at_the_gate", extra={"runs": refused[:20], "count": len(refused)}
                )
                self._workload.forget(refused)
                gated = [run for run in gated if run.id in started]
        for run in (*free, *gated):
            self._events.submitted(run)
        self._workload.submit(free, marked=False)
        self._workload.submit(gated, marked=True)

    def _report(self, claim: Claim) -> None:
        for job, row in claim.born_finished:
            event = "scheduler.run.missed" if row.state is RunState.MISSED else "scheduler.run.skipped"
            logger.warning(
                event,
                extra={
                    "job": job.id,
                    "scheduled_at": row.scheduled_at,
                    "fire_times": row.coalesced + 1,
                    "reason": row.reason,
                },
            )
            self._events.born_finished(job, row)
        for job_id, reason in claim.broken:
            logger.warning("scheduler.job.broken", extra={"job": job_id, "reason": reason})

    def _reconcile(self) -> None:
        """
        Compare the runs that the database believes to be this node's with its memory.

        Between two passes nothing is in flight, so what memory does not know was lost with the answer to a COMMIT, of a
        claim or of a start. No body begins before that answer: such runs go back to the queue.
        """
        skipped = runs.skip_numbers(self.connection, seen=self._workload.highest)
        if skipped:
            logger.warning("scheduler.database.forgot", extra={"runs": skipped})
        in_database = runs.owned(self.connection, node=self._identity.node)
        unbegun, gone = self._workload.differences(in_database)
        if unbegun:
            given_back = runs.give_back(self.connection, runs=unbegun, node=self._identity.node)
            logger.warning("scheduler.runs.reconciled", extra={"given_back": len(given_back)})
            self.look_for_runs()
        if gone:
            logger.warning("scheduler.runs.taken_away", extra={"count": len(gone)})
            self._workload.forget(gone)


def _until(seconds: float, *, asked_at: float | None) -> float:
    """
    Return how long to wait for what is due in so many seconds.

    What was due when it was asked for at ``asked_at``, and was not had, is locked by somebody else: to ask for it again
    at once would keep a processor and the database busy for nothing.
    """
    if seconds >= 0:
        return seconds
    was_due = asked_at is not None and -seconds > time.monotonic() - asked_at
    return _LOCKED_SECONDS if was_due else 0.0
