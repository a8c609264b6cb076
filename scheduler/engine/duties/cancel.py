"""End runs of this node that somebody wants cancelled."""

from __future__ import annotations

from scheduler.engine.duty import Duty
from scheduler.store.recording import runs
from scheduler.store.sessions.notifications import Channel


class Cancel(Duty):
    """Pass requests to cancel on to the executors."""

    wakes_on = Channel.CANCEL

    @property
    def every_seconds(self) -> float:
        return self.work.settings.reconcile_seconds

    def run(self) -> None:
        for run_id in runs.to_cancel(self.work.connection, node=self.work.identity.node):
            self.work.workload.cancel(run_id)
