from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.core.handlers.wsgi import WSGIHandler

from scheduler.loops import Server

HOST = "127.0.0.1"
DEFAULT_PORT = 8000
PATHS = ("/sample/", "/robots.txt")


class SampleSite(Server):
    """Only the pages under /sample/, on the loopback address, in a thread of this process."""

    def __init__(self, *, port: int) -> None:
        self._web = WSGIHandler()
        server = make_server(HOST, port, self._answer, _Server, _QuietHandler)
        super().__init__(name="sample-site", fault="openlearn.sample_site.failed", server=server)

    def stop(self, *, timeout: float | None = None) -> bool:
        has_ended = super().stop(timeout=timeout)
        self._server.server_close()
        return has_ended

    def _answer(
        self, environ: dict[str, Any], start_response: Callable[..., Callable[[bytes], object]]
    ) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(PATHS):
            return self._web(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"Only /sample/ is served here: the web was switched off with --no-web.\n"]


class PortRefused(Exception):
    """The port cannot be had. The text says why, and what to do."""


def take(port: int | None) -> socket.socket:
    """
    Listen on the port before the web is there, so that no other program takes it meanwhile.

    Without one it is the usual port, or one of those after it, so that addresses stay as they were, or any.
    """
    if port is not None:
        return _listen(port)
    for near in range(DEFAULT_PORT, DEFAULT_PORT + 20):
        try:
            return _listen(near)
        except PortRefused:
            continue
    return _listen(0)


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except PermissionError:
        listener.close()
        raise PortRefused(f"This user may not listen on port {port}. Choose one from 1024 on with --port.") from None
    except OSError:
        listener.close()
        raise PortRefused(f"Port {port} is taken by another program. Choose another one with --port.") from None
    return listener


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """The terminal shows runs. A line for each page would hide them."""
