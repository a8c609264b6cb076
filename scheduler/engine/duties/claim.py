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


class Claim(Duty):
    """Claim when the next job is due. When that is, the claim itself or the duty ``LookAhead`` finds out."""

    takes_runs = True

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self.has_more = False
        """Whether the latest claim was full, so that the next one follows at once."""

        self.is_blind = True
        """Whether the latest claim could not tell when the next one is due."""

        self._recent_at = math.inf
        """When jobs that became due just now come before those that are overdue, in every second claim at most."""

        self._was_partial = False

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
        is_partial = self._was_partial = began >= self._recent_at and not self._was_partial
        claimed = claims.claim_due(
            self.work.connection,
            node=self.work.identity.node,
            tasks=registry.names(),
            limit=self.work.settings.claim_batch,
            room=self._room(),
            catch_up_limit=self.work.settings.catch_up_limit,
            positions=self.work.positions,
            recent_seconds=_RECENT_SECONDS if is_partial else None,
        )
        self.work.workload.add(claimed.owned)
        self._report(claimed)
        if claimed.waiting:
            self.agenda.duty(Take).tracks.look_again_at_planned()
            self.agenda.duty(Announce).soon()
        if claimed.remote:
            self.agenda.duty(Ring).note_waiting(claimed.remote)
        is_full = claimed.jobs >= self.work.settings.claim_batch
        self._note_backlog(began, is_full=is_full, is_partial=is_partial)
        self.has_more = is_full or is_partial
        now = time.monotonic()
        seconds = claimed.next_seconds if now < self.knows_until else None
        self.is_blind = seconds is None
        if self.has_more or seconds is None:
            return 0.0
        return min(began + max(0.0, seconds), self.knows_until) - now

    def _note_backlog(self, began: float, *, is_full: bool, is_partial: bool) -> None:
        """Let recent jobs come first now and then, from a claim that left jobs over to one that did not."""
        if is_partial:
            self._recent_at = began + _LOOK_AT_RECENT_SECONDS
        elif not is_full:
            self._recent_at = math.inf
        elif self._recent_at == math.inf:
            self._recent_at = began + _LOOK_AT_RECENT_SECONDS

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
