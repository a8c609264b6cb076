"""What a node tells about itself: measures with every heartbeat, and Prometheus metrics on a port of its own."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from dj_db_conn_pool.core import pool_container

from scheduler import telemetry
from scheduler.conf import SchedulerSettings
from scheduler.engine.node import Node
from scheduler.errors import DatabaseUnavailable
from scheduler.loops import Periodic, Server
from scheduler.store import measures
from scheduler.store.connections import Connection

logger = logging.getLogger(__name__)

_CLIENT_SECONDS = 5.0
"""A client that sends nothing for this long is left alone: the next one waits for it."""


class Reporter(Periodic):
    """A thread that writes the node's measures into the database, as often as the node says that it is alive."""

    def __init__(self, *, node: Node, settings: SchedulerSettings) -> None:
        super().__init__(
            name="scheduler-measures", fault="scheduler.measures.failed", seconds=settings.heartbeat_seconds
        )
        self._node = node
        self._connection = Connection(purpose="measures")

    def do(self) -> None:
        """
        Say how things are now.

        :raises DatabaseUnavailable: nothing was said
        """
        node = self._node
        pools = node.workload.pools
        begun = {name: len(pool.begun()) for name, pool in pools.items()}
        measures.report(
            self._connection,
            node=node.identity.node,
            clock=datetime.now(UTC),
            backlog=len(node.recorder.batcher),
            backlog_seconds=node.recorder.oldest_seconds,
            tick_seconds=node.pass_seconds,
            busy=begun,
            waiting={name: max(0, pool.busy - begun[name]) for name, pool in pools.items()},
            connections=_pooled_connections(),
        )

    def unavailable(self, error: DatabaseUnavailable, *, pause: float) -> None:
        logger.debug("scheduler.measures.not_reported", extra={"error": str(error)})

    def close(self) -> None:
        self._connection.close()


class MetricsServer(Server):
    """Answers ``GET /metrics`` with the metrics of all nodes, one request after the other."""

    def __init__(self, *, host: str, port: int) -> None:
        """:raises OSError: the port is taken, or the address is not of this machine"""
        connection = Connection(purpose="metrics")
        exporter = telemetry.Exporter(partial(telemetry.read, execute=connection.execute))

        class Handler(_Handler):
            pass

        Handler.exporter = exporter
        self._connection = connection
        server = HTTPServer((host, port), Handler)
        super().__init__(name="scheduler-metrics", fault="scheduler.metrics.failed", server=server)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens; with port 0 a free one was chosen."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def start(self) -> None:
        super().start()
        logger.info("scheduler.metrics.served", extra={"host": self.address[0], "port": self.address[1]})

    def stop(self, *, timeout: float | None = _CLIENT_SECONDS + 1) -> bool:
        has_ended = super().stop(timeout=timeout)
        self._server.server_close()
        self._connection.close()
        return has_ended


class _Handler(BaseHTTPRequestHandler):
    exporter: telemetry.Exporter
    timeout = _CLIENT_SECONDS

    def do_GET(self) -> None:
        if self.path.partition("?")[0] not in ("/", "/metrics"):
            self._answer(404, "text/plain; charset=utf-8", b"The metrics are at /metrics.\n")
            return
        try:
            found = self.exporter.exposition(accept=self.headers.get("Accept", ""))
        except DatabaseUnavailable:
            self._answer(503, "text/plain; charset=utf-8", b"The database does not answer.\n")
            return
        self._answer(200, found.content_type, found.body)

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug("scheduler.metrics.asked", extra={"request": format % args})


def _pooled_connections() -> int:
    """Return how many connections of the pool for tasks are in use."""
    if not pool_container.has("default"):
        return 0
    in_use: int = pool_container.get("default").checkedout()
    return in_use
