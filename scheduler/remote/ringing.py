"""Ringing: one thread for each broker, so that one that hangs delays neither the node's loop nor other brokers."""

from __future__ import annotations

import itertools
import logging
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypedDict

from scheduler import failpoints
from scheduler.conf import SchedulerSettings
from scheduler.errors import BrokerUnavailable, DatabaseUnavailable, UnusableExecutor
from scheduler.loops import Loop
from scheduler.remote import executors
from scheduler.remote.executors import Ring
from scheduler.store.claiming import rings
from scheduler.store.claiming.rings import StampedRun
from scheduler.store.sessions.connections import Connection
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

_BATCH = 500
"""Most runs that are stamped in one transaction, and sent together."""

_PROBE = 10
"""Runs with which a broker is tried that refused the last ones."""

_BUSY_SECONDS = 0.02
"""Another node stamps runs of this broker."""

_SHORTEST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
"""Bounds of the pause while a queue is full: workers begin runs, and it has room again."""

_LONGEST_AGAIN_SECONDS = 600.0
"""Longest time after which a run that still waits is rung again."""

_FIRST_REST_SECONDS = 1.0
_LONGEST_REST_SECONDS = 30.0
"""Bounds of the time for which a broker that refused messages is left alone. It doubles with each refusal."""

_LONGEST_ERROR = 300

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")


class Breaker:
    """Opens when a broker refuses messages: from then on it is tried rarely, and with few of them, until it accepts."""

    def __init__(self, *, broker: str) -> None:
        self._broker = broker
        self._failures = 0
        self.since: datetime | None = None
        """Since when it is open."""

        self.error = ""

    @property
    def is_open(self) -> bool:
        return self._failures > 0

    def open(self, error: Exception) -> float:
        """The broker refused. Return for how many seconds it is left alone."""
        self._failures += 1
        self.error = _shown(error)
        if self.since is None:
            self.since = datetime.now(UTC)
        pause = min(_FIRST_REST_SECONDS * 2.0 ** min(self._failures - 1, 10), _LONGEST_REST_SECONDS)
        logger.warning(events.BROKER_REFUSED, extra={"broker": self._broker, "error": self.error, "pause": pause})
        return pause

    def close(self) -> None:
        if self.is_open:
            logger.warning(events.BROKER_ACCEPTS, extra={"broker": self._broker})
        self._failures, self.since, self.error = 0, None, ""


class _Bounds(TypedDict):
    """The parameters that statements about a broker share."""

    broker: str
    most_inflight: int
    again_seconds: float
    longest_seconds: float


class Ringer(Loop):
    """Rings one broker for runs that wait, as far as its queues have room."""

    def __init__(self, *, broker: str, settings: SchedulerSettings) -> None:
        super().__init__(name=f"scheduler-ringer-{broker}", fault=events.RINGING_FAILED)
        self.breaker = Breaker(broker=broker)
        self._broker = broker
        self._settings = settings
        self._connection = Connection(purpose="ringer")
        self._wanted = threading.Event()
        self._full_pause = _SHORTEST_PAUSE_SECONDS

    def soon(self) -> None:
        """Runs may want to be rung. Safe in any thread."""
        self._wanted.set()

    def wait(self, seconds: float) -> None:
        """Wait until somebody asks for it. A broker that refused messages is left alone all the same."""
        if self.breaker.is_open:
            super().wait(seconds)
        else:
            self._wanted.wait(seconds)
        self._wanted.clear()

    def interrupt(self) -> None:
        self._wanted.set()

    def close(self) -> None:
        self._connection.close()

    def turn(self) -> float:
        """Stamp some runs, commit, and only then send. Return how many seconds to wait."""
        try:
            executors.check_broker(self._broker)
        except UnusableExecutor as error:  # of this process: what is stamped here would wait for nothing
            return self.breaker.open(error)
        limit = _PROBE if self.breaker.is_open else _BATCH
        stamped = rings.stamp(self._connection, limit=limit, **self._bounds())
        if stamped is None:
            return _BUSY_SECONDS
        try:
            self._send(stamped)
        except (BrokerUnavailable, OSError) as error:
            return self.breaker.open(error)
        if stamped:
            self.breaker.close()
            failpoints.hit("ring.after_send")
        return 0.0 if len(stamped) >= limit else self._pause(has_rung=bool(stamped))

    def _bounds(self) -> _Bounds:
        return {
            "broker": self._broker,
            "most_inflight": self._settings.max_inflight,
            "again_seconds": self._settings.ring_again_seconds,
            "longest_seconds": _LONGEST_AGAIN_SECONDS,
        }

    def _send(self, stamped: Sequence[StampedRun]) -> None:
        """:raises BrokerUnavailable, OSError: those that were not sent have no stamp any more"""
        waiting = sorted(stamped, key=lambda run: run.executor)  # stable: each queue keeps its order
        groups = [(executor, list(runs)) for executor, runs in itertools.groupby(waiting, lambda run: run.executor)]
        for place, (executor, runs) in enumerate(groups):
            try:
                self._ring(executor, runs)
            except (BrokerUnavailable, OSError):
                self._take_back([run for _, group in groups[place:] for run in group])
                raise
            except Exception:  # an adapter is not ours, and other queues of this broker go on: these are rung again
                logger.exception(events.RINGING_FAILED, extra={"error": executor, "pause": 0.0})

    def _ring(self, executor: str, runs: Sequence[StampedRun]) -> None:
        remote = executors.parse(executor)
        assert remote is not None  # noqa: S101 - only runs of remote executors are stamped
        messages = [Ring(run=run.id, attempt=run.attempt, ring=run.ring) for run in runs]
        executors.doorbell(remote).ring(messages)

    def _take_back(self, runs: Sequence[StampedRun]) -> None:
        try:
            rings.unstamp(self._connection, runs=runs)
        except DatabaseUnavailable as error:  # they are rung again when their time is up
            logger.warning(events.RINGING_FAILED, extra={"error": str(error), "pause": 0.0})

    def _pause(self, *, has_rung: bool) -> float:
        """Return the seconds until a run of this broker is to be rung."""
        following = rings.next_ring(self._connection, **self._bounds())
        if has_rung or not following.is_full:
            self._full_pause = _SHORTEST_PAUSE_SECONDS
        elif following.is_full:
            self._full_pause = min(2 * self._full_pause, _LONGEST_PAUSE_SECONDS)
        longest = self._full_pause if following.is_full else self._settings.poll_seconds
        return max(_SHORTEST_PAUSE_SECONDS, min(following.seconds, longest))


class Ringers:
    """The ringers of a node. A thread begins with the first run of its broker, so that others cost nothing."""

    def __init__(self, *, settings: SchedulerSettings) -> None:
        self._settings = settings
        self._ringers: dict[str, Ringer] = {}
        self._is_stopped = False

    def wake(self, brokers: Iterable[str] = ()) -> None:
        """Runs of these brokers, and of those that were rung before, may want to be rung."""
        if self._is_stopped:
            return
        for broker in brokers:
            if broker not in self._ringers:
                ringer = Ringer(broker=broker, settings=self._settings)
                ringer.start()
                self._ringers[broker] = ringer
        for ringer in self._ringers.values():
            ringer.soon()

    def refusing(self) -> Mapping[str, Mapping[str, str]]:
        """Return the brokers that refused the last messages, each with the error and since when. Safe in any thread."""
        found = {}
        for broker, ringer in tuple(self._ringers.items()):
            since, error = ringer.breaker.since, ringer.breaker.error
            if since is not None:
                found[broker] = {"error": error, "since": since.isoformat(timespec="seconds")}
        return found

    def stop(self) -> None:
        self._is_stopped = True
        for ringer in self._ringers.values():
            ringer.stop(timeout=2.0)


def _shown(error: Exception) -> str:
    """Return an error as people may read it: an address in it may hold a password."""
    text = " ".join(str(error).split()) or type(error).__name__
    return _CREDENTIALS.sub("", text)[:_LONGEST_ERROR]
