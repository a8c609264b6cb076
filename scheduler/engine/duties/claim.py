"""Claim due jobs: their fire times become runs in the ledger."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

from scheduler.core.states import RunState
from scheduler.core.tasks.registry import registry
from scheduler.engine.duties.announce import Announce
from scheduler.engine.duties.ring import Ring
from scheduler.engine.duties.take import Take
from scheduler.engine.duty import Agenda, Duty, Work
from scheduler.store.claiming import claims
from scheduler.store.claiming.claimed import Claim as Claimed
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)

_RECENT_SECONDS = 2.0
_LOOK_AT_RECENT_SECONDS = 0.25
"""While much is overdue, jobs that became due just now are claimed so often. Else they would come last."""

_MOST_IN_A_ROW = 4
"""Claims of recent jobs, as long as one was not enough, before one of those that are overdue."""

_LOOK_AT_FREQUENT_SECONDS = 0.1
"""While one claim is not enough, jobs that fire every few seconds are claimed so often, before all others."""

_LEAST_JOBS = 10
"""Jobs that are locked for a claim at least, however many rows each of them has."""

_LONG_SECONDS = 0.2
"""The next claim takes half as many jobs as one that took longer: runs that are due begin between two claims."""


class Backlog:
    """
    While one claim is not enough for all that is due: when jobs that became due just now come before the oldest.

    Those that it did not come to in time are looked for a moment later, among all that became due since it began.
    """

    def __init__(self) -> None:
        self._since = math.inf
        self._look_at = math.inf
        self._look_at_frequent = math.inf
        self._seconds = _RECENT_SECONDS
        self._in_a_row = 0

    def is_for_frequent(self, now: float) -> bool:
        """Return whether the next claim is one of jobs that fire every few seconds. Another one follows in any case."""
        if now < self._look_at_frequent:
            return False
        self._look_at_frequent = math.inf
        return True

    def recent_seconds(self, now: float) -> float | None:
        """Return how recent the jobs of the next claim are to be. ``None``: the oldest come first."""
        return self._seconds if now >= self._look_at and self._in_a_row < _MOST_IN_A_ROW else None

    def note(self, began: float, *, is_full: bool, is_recent: bool) -> None:
        """A claim that began then was of recent jobs or not, and was enough for them or not."""
        if is_recent and is_full:
            self._in_a_row += 1
            self._seconds, self._look_at = _RECENT_SECONDS, began
        elif is_recent:
            self._in_a_row = _MOST_IN_A_ROW
            self._seconds = min(2 * self._seconds, began - self._since + _RECENT_SECONDS)
            self._look_at = began + _LOOK_AT_RECENT_SECONDS
        elif is_full:
            self._in_a_row = 0
            if self._since == math.inf:
                self._since, self._look_at = began, began + _LOOK_AT_RECENT_SECONDS
                self._look_at_frequent = began
        else:
            self._since = self._look_at = self._look_at_frequent = math.inf
            self._seconds, self._in_a_row = _RECENT_SECONDS, 0
            return
        if self._look_at_frequent == math.inf:
            self._look_at_frequent = began + _LOOK_AT_FREQUENT_SECONDS


class Claim(Duty):
    """Claim when the next job is due. When that is, the claim itself or the duty ``LookAhead`` finds out."""

    takes_runs = True

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self.has_more = False
        """Whether the latest claim was full, so that the next one follows at once."""

        self.is_blind = True
        """Whether the latest claim could not tell when the next one is due."""

        self._backlog = Backlog()
        self._limits = dict.fromkeys((False, True), self.work.settings.claim_batch)
        """
        Most jobs of the next claim, and of the next one of recent jobs: about as many as it plans, and as do not take
        long. Each more would be locked and read for no use.
        """

        self.knows_until = 0.0
        """Until when the latest look ahead holds, on the monotonic clock."""

    @property
    def every_seconds(self) -> float:
        return 0.0  # a claim that failed is repeated in the next pass

    def due_again(self, *, seconds: float, knows_until: float) -> None:
        """Claim in this many seconds. ``knows_until`` is the latest time to look ahead again."""
        self.due_at = time.monotonic() + seconds
        self.knows_until = knows_until
        self.is_blind = False

    def run(self) -> float:
        began = time.monotonic()
        self.work.positions.advance(self.work.connection)
        if self._backlog.is_for_frequent(began) and (frequent := self.work.positions.frequent()):
            self._claim(limit=len(frequent), only=frequent)
            return 0.0  # what else is due is claimed in the next pass
        recent_seconds = self._backlog.recent_seconds(began)
        is_recent = recent_seconds is not None
        limit = self._limits[is_recent]
        claimed = self._claim(limit=limit, recent_seconds=recent_seconds)
        now = time.monotonic()
        is_full = claimed.left > 0 or claimed.jobs >= limit
        self._limits[is_recent] = self._next_limit(claimed, limit, seconds=now - began)
        self._backlog.note(began, is_full=is_full, is_recent=is_recent)
        self.has_more = is_full or is_recent
        seconds = claimed.next_seconds if now < self.knows_until else None
        self.is_blind = seconds is None
        if self.has_more or seconds is None:
            return 0.0
        return min(began + max(0.0, seconds), self.knows_until) - now

    def _claim(self, *, limit: int, recent_seconds: float | None = None, only: Sequence[str] | None = None) -> Claimed:
        claimed = claims.claim_due(
            self.work.connection,
            node=self.work.identity.node,
            tasks=registry.names(),
            limit=limit,
            room=self._room(),
            catch_up_limit=self.work.settings.catch_up_limit,
            positions=self.work.positions,
            recent_seconds=recent_seconds,
            only=only,
        )
        self.work.workload.add(claimed.owned)
        self._report(claimed)
        if claimed.waiting:
            self.agenda.duty(Take).tracks.look_again_at_planned()
            self.agenda.duty(Announce).soon()
        if claimed.remote:
            self.agenda.duty(Ring).note_waiting(claimed.remote)
        return claimed

    def _next_limit(self, claimed: Claimed, limit: int, *, seconds: float) -> int:
        """Return twice what a claim planned that left jobs over, less after one that took long, and else grow again."""
        wanted = limit
        if claimed.left:
            wanted = 2 * claimed.jobs
        elif claimed.jobs < limit or seconds < _LONG_SECONDS / 2:
            wanted = 2 * limit
        elif seconds > _LONG_SECONDS:
            wanted = limit // 2
        return min(self.work.settings.claim_batch, max(_LEAST_JOBS, wanted))

    def _room(self) -> dict[str, int]:
        """Return the room for runs of the default queue. Runs of other queues are taken when it is their turn."""
        tracks = self.agenda.duty(Take).tracks
        return {name: room for name, room in self.work.workload.room().items() if tracks.is_served(name)}

    def _report(self, claimed: Claimed) -> None:
        for job, row in claimed.born_finished:
            event = events.RUN_MISSED if row.state is RunState.MISSED else events.RUN_SKIPPED
            logger.warning(
                event,
                extra={
                    "job": job.id,
                    "scheduled_at": row.scheduled_at,
                    "fire_times": row.coalesced + 1,
                    "reason": row.reason,
                },
            )
            self.work.events.born_finished(job, row)
        for job_id, reason in claimed.broken:
            logger.warning(events.JOB_BROKEN, extra={"job": job_id, "reason": reason})
