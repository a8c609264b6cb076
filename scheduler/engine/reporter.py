"""Measures that a node reports about itself, with every heartbeat."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from scheduler.conf import SchedulerSettings
from scheduler.engine.node import Node
from scheduler.engine.usage import Meter
from scheduler.errors import DatabaseUnavailable
from scheduler.loops import Periodic
from scheduler.store import database
from scheduler.store.measuring import measures
from scheduler.store.measuring.measures import OwnMeasures
from scheduler.store.sessions.connections import Connection
from scheduler.telemetry import events

logger = logging.getLogger(__name__)


class Reporter(Periodic):
    """A thread that writes the node's measures into the database, as often as the node says that it is alive."""

    def __init__(self, *, node: Node, settings: SchedulerSettings) -> None:
        super().__init__(name="scheduler-measures", fault=events.MEASURES_FAILED, seconds=settings.heartbeat_seconds)
        self._node = node
        self._connection = Connection(purpose="measures")
        self._meter = Meter()

    def do(self) -> None:
        """
        Report the current state.

        :raises DatabaseUnavailable: the report was not written
        """
        node = self._node
        pools = node.workload.pools
        begun = {name: len(pool.begun()) for name, pool in pools.items()}
        usage = self._meter.measure(children=[pid for pool in pools.values() for pid in pool.process_ids()])
        measured = OwnMeasures(
            clock=datetime.now(UTC),
            backlog=len(node.recorder.batcher),
            backlog_seconds=node.recorder.oldest_seconds,
            tick_seconds=node.pass_seconds,
            busy=begun,
            waiting={name: max(0, pool.busy - begun[name]) for name, pool in pools.items()},
            connections=database.pooled_in_use(),
            brokers=node.ringers.refusing(),
            memory_bytes=usage.memory_bytes,
            processors=usage.processors,
        )
        measures.report(self._connection, node=node.identity.node, measured=measured)

    def unavailable(self, error: DatabaseUnavailable, *, pause: float) -> None:
        logger.debug(events.MEASURES_NOT_REPORTED, extra={"error": str(error)})

    def close(self) -> None:
        self._connection.close()
