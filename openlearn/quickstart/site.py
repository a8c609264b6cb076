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


def is_free(port: int) -> bool:
    """
    Say whether the port can be listened on at this moment.

    :raises PermissionError: not by this user
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except PermissionError:
            raise
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return one of the ports after the usual one, so that addresses stay as they were, or any that is free."""
    for port in range(DEFAULT_PORT + 1, DEFAULT_PORT + 20):
        if is_free(port):
            return port
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """The terminal shows runs. A line for each page would hide them."""
