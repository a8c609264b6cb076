"""Claim due jobs: their fire times become runs in the ledger."""

from __future__ import annotations

import logging
import math

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

_LEAST_JOBS = 10
"""Jobs that are locked for a claim at least, however many rows each of them has."""


class Backlog:
    """
    While one claim is not enough for all that is due: when jobs that became due just now come before the oldest.

    Those that it did not come to in time are looked for a moment later, among all that became due since it began.
    """

    def __init__(self) -> None:
        self._since = math.inf
        self._look_at = math.inf
        self._seconds = _RECENT_SECONDS
        self._in_a_row = 0

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
        else:
            self._since = self._look_at = math.inf
            self._seconds, self._in_a_row = _RECENT_SECONDS, 0


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
        self._limit = self.work.settings.claim_batch
        """Most jobs of the next claim: about as many as it plans. Each more would be locked and read for no use."""

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
        recent_seconds = self._backlog.recent_seconds(began)
        is_recent = recent_seconds is not None
        limit = self.work.settings.claim_batch if is_recent else self._limit
        claimed = claims.claim_due(
            self.work.connection,
            node=self.work.identity.node,
            tasks=registry.names(),
            limit=limit,
            room=self._room(),
            catch_up_limit=self.work.settings.catch_up_limit,
            positions=self.work.positions,
            recent_seconds=recent_seconds,
        )
        self.work.workload.add(claimed.owned)
        self._report(claimed)
        if claimed.waiting:
            self.agenda.duty(Take).tracks.look_again_at_planned()
            self.agenda.duty(Announce).soon()
        if claimed.remote:
            self.agenda.duty(Ring).note_waiting(claimed.remote)
        is_full = claimed.left > 0 or claimed.jobs >= limit
        if not is_recent:
            self._limit = self._next_limit(claimed)
        self._backlog.note(began, is_full=is_full, is_recent=is_recent)
        self.has_more = is_full or is_recent
        now = time.monotonic()
        seconds = claimed.next_seconds if now < self.knows_until else None
        self.is_blind = seconds is None
        if self.has_more or seconds is None:
            return 0.0
        return min(began + max(0.0, seconds), self.knows_until) - now

    def _next_limit(self, claimed: Claimed) -> int:
        """Return twice what a claim planned that left jobs over, and else grow again."""
        wanted = 2 * claimed.jobs if claimed.left else 2 * self._limit
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
