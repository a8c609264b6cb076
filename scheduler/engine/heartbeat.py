"""The heartbeat: says that the node is alive, keeps its lease, and reaps nodes that are not alive."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from scheduler import failpoints
from scheduler.conf import SchedulerSettings
from scheduler.core.tasks.adapters import EndedRun
from scheduler.errors import DatabaseUnavailable
from scheduler.loops import Periodic
from scheduler.store.liveness import nodes
from scheduler.store.sessions.connections import Connection
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)

_SKEW_SECONDS = 2.0
"""A clock that is wrong by more is worth a warning."""

_OTHERS_BEAT = 1.5
"""Heartbeats that a new node waits before it judges others: one of theirs, and time for it to arrive."""


class Identity:
    """The UUID under which the node owns runs. It changes after the node was marked lost."""

    def __init__(self) -> None:
        self.node = str(uuid.uuid4())

    def become(self, other: Identity) -> None:
        self.node = other.node


class Lease:
    """The right to start runs: it ends by itself before others may take this node for dead."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0
        self.is_drained = False
        """Whether somebody wants the node to take no more runs, as of the last heartbeat."""

    def renew(self, *, since: float) -> None:
        """Count anew from ``since``, the monotonic time at which the successful heartbeat *began*."""
        self._until = since + self._seconds

    def end(self) -> None:
        self._until = 0.0

    @property
    def is_valid(self) -> bool:
        return time.monotonic() < self._until


class Heartbeat(Periodic):
    """A thread with a session of its own, so that other work cannot hold it up."""

    def __init__(
        self,
        *,
        identity: Identity,
        settings: SchedulerSettings,
        lost: Callable[[], None],
        wake: Callable[[], None],
        stuck: Callable[[], int],
        ended: Callable[[Sequence[EndedRun]], object] = lambda _: None,
    ) -> None:
        super().__init__(name="scheduler-heartbeat", fault=events.HEARTBEAT_FAILED, seconds=settings.heartbeat_seconds)
        self.first_pause_seconds = settings.heartbeat_seconds
        self.lease = Lease(seconds=settings.lease_seconds)
        self._identity = identity
        self._settings = settings
        self._lost = lost
        self._stuck = stuck
        self._ended = ended
        self._wake = wake
        # An answer that takes longer would come too late for the lease.
        self.connection = Connection(purpose="heartbeat", answer_seconds=settings.lease_seconds / 2)
        self._one_at_a_time = threading.Lock()
        self._clocks: tuple[datetime, float, float] | None = None
        self._may_judge_at = 0.0
        self._is_skewed = False
        self.skew_seconds = 0.0
        """Seconds by which the database's clock was ahead of this machine's at the last heartbeat."""

    def start(self) -> None:
        """Beat once in this thread, so that there is a lease, and go on in another."""
        self.beat_now()
        super().start()

    def beat_now(self) -> None:
        """
        Beat in the caller's thread, so that there is a lease.

        :raises DatabaseUnavailable: there is none
        """
        with self._one_at_a_time:
            self._beat()

    def stop(self, *, timeout: float | None = 5.0) -> bool:
        has_ended = super().stop(timeout=timeout)
        self.lease.end()
        self.connection.close()
        return has_ended

    def do(self) -> None:
        with self._one_at_a_time:
            if self._beat():
                self._reap()

    def unavailable(self, error: DatabaseUnavailable, *, pause: float) -> None:
        logger.warning(events.HEARTBEAT_FAILED, extra={"error": str(error), "lease": self.lease.is_valid})

    def _beat(self) -> bool:
        """Beat. Return true if the silence of other nodes can be judged by the database's clock."""
        failpoints.hit("beat.before")
        began = time.monotonic()
        answer = nodes.beat(self.connection, node=self._identity.node, stuck=self._stuck())
        if answer is None:
            self.lease.end()
            self._clocks = None
            self._lost()
            self._wake()
            return False
        self.lease.renew(since=began)
        took = time.monotonic() - began
        if answer.is_drained != self.lease.is_drained:
            self.lease.is_drained = answer.is_drained
            self._wake()
        self._compare_clocks(answer.clock, took=took)
        return self._may_judge(answer.clock, began, took)

    def _compare_clocks(self, clock: datetime, *, took: float) -> None:
        """
        Measure the error of this machine's clock, and log when it becomes too large.

        Jobs are due by the database's clock all the same. Only timestamps in logs are off by the error.
        """
        self.skew_seconds = (clock - datetime.now(UTC)).total_seconds() + took / 2
        is_skewed = abs(self.skew_seconds) > _SKEW_SECONDS + took
        if is_skewed and not self._is_skewed:
            logger.warning(events.CLOCK_SKEWED, extra={"seconds": round(self.skew_seconds, 1)})
        self._is_skewed = is_skewed

    def _may_judge(self, clock: datetime, began: float, took: float) -> bool:
        """
        Return whether the heartbeats of all live nodes are from after the last jump of the database's clock.

        After a jump the others get as long as silence is forgiven to beat by the new time. A node cannot know whether
        the clock jumped just before its own first heartbeat, and lets the others beat first. An answer that took long
        gives the time only roughly, and is not taken for a jump.
        """
        earlier, self._clocks = self._clocks, (clock, began, took)
        if earlier is None:
            self._may_judge_at = max(self._may_judge_at, began + _OTHERS_BEAT * self._settings.heartbeat_seconds)
        else:
            drift = (clock - earlier[0]).total_seconds() - (began - earlier[1])
            if abs(drift) > self._settings.reap_after_seconds / 2 + max(took, earlier[2]):
                logger.warning(events.CLOCK_JUMPED, extra={"seconds": round(drift, 1)})
                self._may_judge_at = began + self._settings.reap_after_seconds
        return began >= self._may_judge_at

    def _reap(self) -> None:
        reaped = nodes.reap(
            self.connection,
            reaper=self._identity.node,
            reap_after_seconds=self._settings.reap_after_seconds,
            max_recoveries=self._settings.max_recoveries,
        )
        if reaped is None or reaped.is_empty:
            return
        self._ended(reaped.ended)
        for node, name in reaped.nodes:
            logger.warning(events.NODE_LOST, extra={"node": node, "node_name": name})
        logger.warning(
            events.RUNS_RECOVERED,
            extra={"requeued": reaped.requeued, "interrupted": reaped.interrupted, "recovered": reaped.recovered},
        )
        self._wake()
