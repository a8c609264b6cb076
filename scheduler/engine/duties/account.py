"""Account for notes of the database: fire times without a row, and runs of deleted and restored jobs."""

from __future__ import annotations

import logging

from scheduler.engine.duty import Agenda, Duty, Work
from scheduler.loops import Share, Slice
from scheduler.store.accounting import owed
from scheduler.store.cleaning import removals, restorations
from scheduler.untouched import time

logger = logging.getLogger(__name__)

_STEP_SECONDS = 0.03
"""Detaching or attaching some runs takes about as long: due jobs of this node wait for it."""

_LEAST_RUNS = 50


class Account(Duty):
    """
    Enter owed fire times as skipped, detach the runs of deleted jobs, and attach those of restored ones.

    As long as runs are to be detached, this goes on for half of the time: a job may have millions. A step has as many
    runs as it can do in some ten milliseconds.
    """

    ends_sleep = False

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._after = 0
        self._detaching = Slice(seconds=_STEP_SECONDS, least=_LEAST_RUNS, most=removals.MOST_RUNS)
        self._attaching = Slice(seconds=_STEP_SECONDS, least=_LEAST_RUNS, most=restorations.MOST_RUNS)
        # While a transaction elsewhere is open, the index has all that was attached since.
        self._restoring_share = Share(quick_seconds=0.1, rest=10)

    @property
    def every_seconds(self) -> float:
        return self.work.settings.poll_seconds

    def run(self) -> float | None:
        connection, node = self.work.connection, self.work.identity.node
        windows = owed.find(connection, after=self._after)
        self._after = windows[-1] if len(windows) == owed.MOST_WINDOWS else 0
        if windows:
            owed.account(connection, windows=windows, node=node)
        began = time.monotonic()
        with self._detaching.spent() as most:
            self.ends_sleep = removals.detach(connection, limit=most) > 0
        took = time.monotonic() - began
        if self._after or self._attach():
            return 0.0
        return took if self.ends_sleep else None

    def _attach(self) -> int:
        if not self._restoring_share.is_due:
            return 0
        with self._restoring_share.spent(), self._attaching.spent() as most:
            return restorations.attach(self.work.connection, limit=most)
