"""
Rules that change under jobs: their fire times are computed anew.

Time zones change by decree, calendars when a person edits them. Services follow an edit at once, and the duty finds
jobs that they left over, or that SQL wrote meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from scheduler.core import triggers, zone_rules
from scheduler.core.triggers import zones
from scheduler.core.triggers.calendars import contents
from scheduler.engine.duties.claim import Claim
from scheduler.engine.duties.inspection import STEP_SECONDS
from scheduler.engine.duty import Agenda, Duty, Work
from scheduler.errors import StatementCancelled
from scheduler.store import database
from scheduler.store.jobs import replanning
from scheduler.store.liveness import installation, nodes
from scheduler.store.sessions.connections import Connection
from scheduler.store.sessions.halving import QUICK_SECONDS
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)

_LOCKED_SECONDS = 5.0
_BATCH = 50


class Zones(Duty):
    """Check daily whether the system has other rules for time zones."""

    every_seconds = 24 * 3600.0

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._after = ""

    def run(self) -> float | None:
        try:
            self._after = compute_by_current_zones(
                self.work.connection, node=self.work.identity.node, after=self._after
            )
        except StatementCancelled:  # a job is locked: none may be left out
            logger.warning(events.TZDATA_WAITS, extra={"after": self._after})
            return _LOCKED_SECONDS
        return 0.0 if self._after else None


def compute_by_current_zones(connection: Connection, *, node: str, after: str = "") -> str:
    """
    Have next fire times computed anew if this node has other rules than those they were computed by.

    Rules of an older release count only when no other node has those of the newer one. Return the job to continue
    after, or an empty string when all are done.
    """
    release = zone_rules.use_newest()
    nodes.note_tzdata(connection, node=node, tzdata=release)
    rescheduled = installation.compute_by(connection, tzdata=release, after=after)
    if rescheduled is None:
        return ""
    zones.forget()
    contents.forget()
    triggers.parse_cached.cache_clear()
    # A new database has no jobs yet: then there is nothing to look at.
    level = logging.WARNING if rescheduled.jobs else logging.INFO
    logger.log(level, events.TZDATA_CHANGED, extra={"version": release, "jobs": rescheduled.jobs})
    return rescheduled.after


class Calendars(Duty):
    """Check every minute whether a job has other calendars than there are."""

    every_seconds = 60.0
    ends_sleep = False

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._after = ""

    def run(self) -> float | None:
        found = replanning.find(after=self._after, limit=_BATCH, execute=self.work.connection.execute)
        done = self._replan(found) if found else 0
        if found:
            self.agenda.duty(Claim).soon()
        self._after = found[done - 1] if done < len(found) or done == _BATCH else ""
        return 0.0 if self._after else None

    def _replan(self, jobs: Sequence[str]) -> int:
        """Go through as many jobs as the time of one pass allows, and return their number."""
        ends_at = time.monotonic() + STEP_SECONDS
        with database.borrowed():
            for done, job in enumerate(jobs, start=1):
                replanning.replan_many(jobs=[job], lock_seconds=QUICK_SECONDS)
                if time.monotonic() >= ends_at:
                    return done
        return len(jobs)
