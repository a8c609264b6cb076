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


def listen(port: int) -> socket.socket:
    """
    Take the port, so that no other program gets it before the web serves there.

    :raises PermissionError: not by this user
    :raises OSError: another program has it
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def listen_nearby() -> socket.socket:
    """Take the usual port, or one of those after it, so that addresses stay as they were, or any that is free."""
    for port in range(DEFAULT_PORT, DEFAULT_PORT + 20):
        try:
            return listen(port)
        except OSError:
            continue
    return listen(0)


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """The terminal shows runs. A line for each page would hide them."""
