"""Show runs that skipped the start gate as running once they last."""

from __future__ import annotations

import math

from scheduler.engine.duty import Duty
from scheduler.engine.workload import MARK_SECONDS
from scheduler.store.recording import runs


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
