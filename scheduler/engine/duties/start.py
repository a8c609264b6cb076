"""Start as many runs as the executors can use, and show those as running that skipped the start gate."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

from scheduler import failpoints
from scheduler.core.tasks.limits import Share
from scheduler.engine.duties.limits import Grant
from scheduler.engine.duties.take import Take
from scheduler.engine.duty import Agenda, Duty, Work
from scheduler.engine.workload import MARK_SECONDS
from scheduler.store.claiming import limits
from scheduler.store.claiming.limits import Permits
from scheduler.store.recording import runs
from scheduler.store.recording.runs import OwnedRun
from scheduler.store.sessions.connections import concerns_rows
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)

_CAREFUL_SECONDS = 60.0
_LOCKED_SECONDS = 0.5
_UNDECIDED_SECONDS = 0.05
"""Another node decides about limits for about a tenth of this."""

_GRANT_SECONDS = 0.5


class MarkStarted(Duty):
    """Pass the gate late for runs of idempotent tasks. Those that were taken away meanwhile are asked to end."""

    def run(self) -> float:
        workload = self.work.workload
        lasting = workload.lasting_unmarked()
        if lasting:
            started = runs.start(self.work.connection, runs=lasting, node=self.work.identity.node)
            for run_id in set(lasting) - started.runs - started.locked:
                workload.cancel(run_id)
        return MARK_SECONDS if workload.has_unmarked else math.inf


class Start(Duty):
    """Hand runs to the executors: those of idempotent tasks at once, all others through the start gate."""

    every_pass = True

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._locked: list[OwnedRun] = []
        """Runs that somebody else has locked: they are tried again in a moment."""

        self._locked_until = 0.0
        self._careful_until = 0.0
        """Until then locked runs are passed by, which costs a statement more."""

    def run(self) -> float | None:
        workload = self.work.workload
        if self._locked and time.monotonic() >= self._locked_until:
            workload.requeue(self._locked)
            self._locked = []
        free, gated = workload.next_to_start()
        try:
            waiting = self._held_by_limits(free, gated)
            if waiting:
                free = [run for run in free if run.id not in waiting]
                gated = [run for run in gated if run.id not in waiting]
            if gated:
                gated = self._pass_the_gate(gated)
        except BaseException:  # whatever it was: what is neither waiting nor started would be lost in memory
            workload.requeue(free, gated)
            raise
        for run in (*free, *gated):
            self.work.events.submitted(run)
        workload.submit(free, marked=False)
        workload.submit(gated, marked=True)
        if workload.has_unmarked:
            self.agenda.duty(MarkStarted).within(MARK_SECONDS)
        return 0.0 if self._is_short_of_work() else None

    def _held_by_limits(self, free: list[OwnedRun], gated: list[OwnedRun]) -> frozenset[int]:
        """Return the runs that do not start now, because a limit of their task has no room."""
        shares = self.work.workload.shares((*free, *gated))
        if not shares:  # as for nearly all runs: it costs them nothing more
            return frozenset()
        permits = self._request(shares)
        granted = permits.granted if permits else frozenset()
        parked = permits.parked if permits else frozenset()
        undecided = [run for run in (*free, *gated) if run.id in shares and run.id not in granted | parked]
        if undecided:
            self._locked += undecided
            self._locked_until = max(self._locked_until, time.monotonic() + _UNDECIDED_SECONDS)
        self.work.workload.note_limited(granted)
        self.work.workload.forget(parked)
        if parked:
            self.agenda.duty(Grant).within(_GRANT_SECONDS)
        return frozenset(shares) - granted

    def _request(self, shares: Mapping[int, Share]) -> Permits | None:
        """Ask for the runs of limited tasks. Whatever one of their rows makes it raise, the others start."""
        try:
            return limits.request_start(self.work.connection, node=self.work.identity.node, shares=shares)
        except Exception as error:
            if not concerns_rows(error):
                raise
            logger.warning(events.LIMITS_UNDECIDED, extra={"count": len(shares), "error": str(error)[:500]})
            self._locked_until = time.monotonic() + _LOCKED_SECONDS
            return None

    def _pass_the_gate(self, gated: list[OwnedRun]) -> list[OwnedRun]:
        """Return the runs that may begin. The others belong to another node by now, or are locked and tried again."""
        now = time.monotonic()
        started = runs.start(
            self.work.connection,
            runs=[run.id for run in gated],
            node=self.work.identity.node,
            with_care=now < self._careful_until,
        )
        failpoints.hit("run.after_gate")
        if len(started.runs) == len(gated):
            return gated
        if started.locked:
            self._careful_until, self._locked_until = now + _CAREFUL_SECONDS, now + _LOCKED_SECONDS
            self._locked += [run for run in gated if run.id in started.locked]
        refused = [run.id for run in gated if run.id not in started.runs | started.locked]
        if refused:
            logger.warning(events.RUNS_REFUSED_AT_THE_GATE, extra={"runs": refused[:20], "count": len(refused)})
            self.work.workload.forget(refused)
        return [run for run in gated if run.id in started.runs]

    def _is_short_of_work(self) -> bool:
        """Return whether the next pass can give an executor more, so that it follows at once."""
        take, workload = self.agenda.duty(Take), self.work.workload
        return any(
            take.wants_runs(executor) and (workload.has_pending(executor) or workload.room()[executor] > 0)
            for executor in workload.pools
        )
