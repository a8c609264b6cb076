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
        self.first_compared = 0
        """The number from which on runs are compared next."""

        self._session = -1

    @property
    def every_seconds(self) -> float:
        return self.work.settings.reconcile_seconds

    def run(self) -> None:
        connection, workload, node = self.work.connection, self.work.workload, self.work.identity.node
        skipped = runs.skip_numbers(connection, seen=workload.highest)
        if skipped:
            logger.warning(events.DATABASE_FORGOT, extra={"runs": skipped})
        # Read before the database is asked: what ends meanwhile is known, and is in no queue.
        known = workload.known()
        found = runs.owned(connection, node=node, since=self._begin_at())
        unbegun, gone = workload.differences(found, known=known)
        if unbegun:
            given_back = runs.give_back(connection, runs=unbegun, node=node)
            logger.warning(events.RUNS_RECONCILED, extra={"given_back": len(given_back)})
            self.agenda.duty(Take).look_again()
            self.agenda.ask(LookAhead)
        if gone:
            logger.warning(events.RUNS_TAKEN_AWAY, extra={"count": len(gone)})
            workload.forget(gone)
        self.first_compared = workload.highest

    def _begin_at(self) -> int:
        """
        Return the number from which on runs are compared.

        Runs that ended leave entries in the index while a transaction elsewhere is open, and these are not read again.
        A lower number can only come from a lost answer, after which the session is another one.
        """
        session = self.work.connection.opened
        since = min(self.first_compared, self.work.workload.first_pending()) if session == self._session else 0
        self._session = session
        return since
