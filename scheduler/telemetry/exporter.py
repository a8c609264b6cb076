"""The exporter: renders the metrics, at most once in some seconds, and serves them on a port of their own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from prometheus_client.exposition import choose_encoder

from scheduler.errors import DatabaseUnavailable
from scheduler.loops import Server
from scheduler.store.sessions.connections import Connection
from scheduler.telemetry import events, metrics
from scheduler.untouched import time

logger = logging.getLogger(__name__)

CACHE_SECONDS = 5.0
"""For how long an answer is given again: several scrapers cost what one does."""

_CLIENT_SECONDS = 5.0
"""Time limit for a silent client, because the next one waits for it."""


class Exporter:
    """Reads and renders at most once in ``CACHE_SECONDS`` for each format, however many ask."""

    def __init__(self, read: Callable[[], metrics.Sources], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Any, tuple[float, metrics.Exposition]] = {}

    def exposition(self, *, accept: str = "") -> metrics.Exposition:
        format = choose_encoder(accept)[1]
        with self._lock:
            made_at, kept = self._kept.get(format, (0.0, None))
            if kept is None or self._clock() - made_at >= CACHE_SECONDS:
                kept = metrics.render(sources=self._read(), accept=accept)
                self._kept[format] = (self._clock(), kept)
            return kept


class MetricsServer(Server):
    """Answers ``GET /metrics`` with the metrics of all nodes, one request after the other."""

    def __init__(self, *, host: str, port: int) -> None:
        """:raises OSError: the port is taken, or the address is not of this machine"""
        connection = Connection(purpose="metrics")
        exporter = Exporter(partial(metrics.read, execute=connection.execute))

        class Handler(_Handler):
            pass

        Handler.exporter = exporter
        self._connection = connection
        server = HTTPServer((host, port), Handler)
        super().__init__(name="scheduler-metrics", fault=events.METRICS_FAILED, server=server)

    @property
    def address(self) -> tuple[str, int]:
        """The address of the server. With port 0 it is a port that was free."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def start(self) -> None:
        super().start()
        logger.info(events.METRICS_SERVED, extra={"host": self.address[0], "port": self.address[1]})

    def stop(self, *, timeout: float | None = _CLIENT_SECONDS + 1) -> bool:
        has_ended = super().stop(timeout=timeout)
        self._server.server_close()
        self._connection.close()
        return has_ended


class _Handler(BaseHTTPRequestHandler):
    exporter: Exporter
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
        logger.debug(events.METRICS_ASKED, extra={"request": format % args})
