"""Make waiting runs this node's own, as far as its executors have room and it is not drained. Miss expired ones."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import ClassVar

from scheduler.core.tasks.registry import registry
from scheduler.engine.duty import Agenda, Duty, Work
from scheduler.engine.tracks import Tracks
from scheduler.loops import Share
from scheduler.store.claiming.heads import Heads
from scheduler.store.recording import enqueued, runs
from scheduler.store.sessions import notifications
from scheduler.store.sessions.notifications import Channel
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)


class Take(Duty):
    """
    Take the oldest waiting runs of each executor that has room and for which more may wait.

    Its tracks share the room: each gets an equal part of what is left, beginning with another one in each pass. So a
    flood in one queue leaves room for the others.
    """

    every_pass = True
    takes_runs = True
    wakes_on: ClassVar[Channel | None] = Channel.RUNS

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self.tracks = Tracks(executors=work.workload.pools, queues=work.settings.queues)
        self.complete_at: float | None = None
        """
        The time when this pass asked for the waiting runs of every executor with room.

        ``None``: not of every one.
        """

        self._heads = Heads()
        self._asked_at: dict[str, float] = {}
        self._knows_pauses = False

    @property
    def expects_more(self) -> bool:
        """Return whether runs may wait for some executor."""
        return self.tracks.expects_more

    def hear(self, subject: str) -> None:
        if subject:
            self.tracks.look_at(subject)
        else:
            self.soon()

    def soon(self) -> None:
        self._knows_pauses = False
        self.look_again()

    def look_again(self, executors: Iterable[str] | None = None) -> None:
        """Runs may wait for these executors, or for all: ask in the next pass. Safe in any thread."""
        self.tracks.look_again(executors)

    def wants_runs(self, executor: str) -> bool:
        """Return whether a pass would give this executor more work. Safe in any thread."""
        workload = self.work.workload
        if self.work.lease.is_drained:
            return False
        return (workload.has_pending(executor) or self.tracks.may_have_more(executor)) and workload.runs_dry(executor)

    def asked_at(self, track: str) -> float | None:
        """Return when a track was last asked, on the monotonic clock."""
        return self._asked_at.get(track)

    def run(self) -> float | None:
        self.look_at_pauses()
        self.complete_at = time.monotonic()
        for executor, room in self.work.workload.room().items():
            if room <= 0:
                continue
            wanted = self.tracks.in_turn(executor)
            if executor not in wanted and self.tracks.is_served(executor):
                self.complete_at = None
            left = min(room, self.work.settings.claim_batch)
            for place, track in enumerate(wanted):
                share = -(-left // (len(wanted) - place))
                if share:
                    left -= self._take(track, limit=share)
        return None

    def look_at_pauses(self) -> None:
        """Ask which queues are paused: before the first runs are taken, and after each hint."""
        if not self._knows_pauses:
            self._knows_pauses = True
            self.tracks.note_paused(enqueued.paused_queues(self.work.connection))

    def _take(self, track: str, *, limit: int) -> int:
        self.tracks.put_down(track)
        self._asked_at[track] = time.monotonic()
        taken = runs.take(
            self.work.connection,
            node=self.work.identity.node,
            executor=track,
            tasks=registry.names(),
            limit=limit,
            heads=self._heads,
        )
        self.work.workload.add(taken)
        if len(taken) >= limit:
            self.tracks.raise_again(track)
        return len(taken)


class Drain(Duty):
    """Give back what has not begun once the node is drained. When that is over, ask for runs again."""

    every_pass = True

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._is_drained = False

    def run(self) -> None:
        if self.work.lease.is_drained == self._is_drained:
            return
        node = {"node": self.work.identity.node}
        if self._is_drained:
            self._is_drained = False
            self.agenda.duty(Take).soon()
            logger.info(events.NODE_UNDRAINED, extra=node)
            return
        unbegun = [run.id for run in self.work.workload.take_back()]
        if unbegun:
            runs.give_back(self.work.connection, runs=unbegun, node=self.work.identity.node)
            notifications.notify_from(self.work.connection, Channel.RUNS)
        self.work.workload.forget(unbegun)
        self._is_drained = True
        logger.info(events.NODE_DRAINED, extra={**node, "given_back": len(unbegun)})


class Expire(Duty):
    """Miss enqueued runs that expired while they waited. They are not taken from that moment on."""

    ends_sleep = False

    def __init__(self, work: Work, agenda: Agenda) -> None:
        # While a transaction elsewhere is open, the index has what was taken before it expired.
        self._share = Share(quick_seconds=0.05, rest=20)
        super().__init__(work, agenda)

    @property
    def every_seconds(self) -> float:
        return max(self.work.settings.busy_poll_seconds, self._share.seconds)

    def run(self) -> float | None:
        with self._share.spent():
            missed = enqueued.expire(self.work.connection, node=self.work.identity.node)
        for run in missed:
            logger.warning(events.RUN_EXPIRED, extra={"run": run.id, "task": run.task})
        self.work.ended(missed)
        return self._share.seconds if len(missed) >= enqueued.MOST_EXPIRED else None
