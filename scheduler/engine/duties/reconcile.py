"""Compare the runs that the database believes to be this node's with its memory."""

from __future__ import annotations

import logging

from scheduler.engine.duties.look_ahead import LookAhead
from scheduler.engine.duties.take import Take
from scheduler.engine.duty import Agenda, Duty, Work
from scheduler.store.recording import runs
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)


class Reconcile(Duty):
    """
    Give back what memory does not know, and forget what the database took away.

    Between two passes no statement is under way, so what memory does not know was lost with the answer to a COMMIT, of
    a claim or of a start. No body begins before that answer: such runs go back to the queue.
    """

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self.due_at = time.monotonic() + self.every_seconds

    @property
    def every_seconds(self) -> float:
        return self.work.settings.reconcile_seconds

    def run(self) -> None:
        connection, workload, node = self.work.connection, self.work.workload, self.work.identity.node
        skipped = runs.skip_numbers(connection, seen=workload.highest)
        if skipped:
            logger.warning(events.DATABASE_FORGOT, extra={"runs": skipped})
        unbegun, gone = workload.differences(runs.owned(connection, node=node))
        if unbegun:
            given_back = runs.give_back(connection, runs=unbegun, node=node)
            logger.warning(events.RUNS_RECONCILED, extra={"given_back": len(given_back)})
            self.agenda.duty(Take).look_again()
            self.agenda.duty(LookAhead).soon()
        if gone:
            logger.warning(events.RUNS_TAKEN_AWAY, extra={"count": len(gone)})
            workload.forget(gone)
