"""Start as many runs as the executors can use."""

from __future__ import annotations

import logging

from scheduler import failpoints
from scheduler.engine.duties.duty import Duty
from scheduler.engine.duties.mark_started import MarkStarted
from scheduler.engine.duties.take import Take
from scheduler.engine.workload import MARK_SECONDS
from scheduler.store import runs
from scheduler.store.runs import OwnedRun

logger = logging.getLogger(__name__)


class Start(Duty):
    """Hand runs to the executors: those of idempotent tasks at once, all others through the start gate."""

    every_pass = True

    def run(self) -> float | None:
        workload = self.work.workload
        free, gated = workload.next_to_start()
        if gated:
            try:
                gated = self._pass_the_gate(gated)
            except BaseException:  # whatever it was: what is neither waiting nor started would be lost in memory
                workload.put_back(free, gated)
                raise
        for run in (*free, *gated):
            self.work.events.submitted(run)
        workload.submit(free, marked=False)
        workload.submit(gated, marked=True)
        if workload.has_unmarked:
            self.agenda.duty(MarkStarted).within(MARK_SECONDS)
        return 0.0 if self._is_short_of_work() else None

    def _pass_the_gate(self, gated: list[OwnedRun]) -> list[OwnedRun]:
        """Return the runs that may begin; the others are somebody else's by now."""
        started = runs.start(self.work.connection, runs=[run.id for run in gated], node=self.work.identity.node)
        failpoints.hit("run.after_gate")
        refused = [run.id for run in gated if run.id not in started]
        if not refused:
            return gated
        logger.warning("scheduler.runs.refused_at_the_gate", extra={"runs": refused[:20], "count": len(refused)})
        self.work.workload.forget(refused)
        return [run for run in gated if run.id in started]

    def _is_short_of_work(self) -> bool:
        """Whether the next pass can give an executor more, so that it follows at once."""
        take, workload = self.agenda.duty(Take), self.work.workload
        return any(
            take.is_hungry(executor) and (workload.has_pending(executor) or workload.room()[executor] > 0)
            for executor in workload.pools
        )
