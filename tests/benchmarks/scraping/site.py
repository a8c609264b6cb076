"""
A web server for many hosts: all addresses of 127.0.0.0/8 reach it. ``python -m tests.benchmarks.scraping.site PORT``.

It answers ``/robots.txt`` (a pause of one second), feeds with pages, and ``/figures``: the requests by now, and the
shortest time between two requests to one host.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_ROBOTS = b"User-agent: *\nCrawl-delay: 1\n"


class Arrivals:
    """When each host was requested last, without its robots.txt, of which the pause is not known before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self.requests = 0
        self.shortest = float("inf")

    def note(self, host: str) -> None:
        now = time.monotonic()
        with self._lock:
            self.requests += 1
            self.shortest = min(self.shortest, now - self._last.get(host, -1e9))
            self._last[host] = now


arrivals = Arrivals()


class Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/figures":
            figures = {"requests": arrivals.requests, "shortest_pause_seconds": round(arrivals.shortest, 3)}
            return self._give("application/json", json.dumps(figures).encode())
        if self.path == "/robots.txt":
            return self._give("text/plain", _ROBOTS)
        arrivals.note(self.headers["host"])
        if self.path.startswith("/feed/"):
            return self._give("application/rss+xml", _feed(self.headers["host"], self.path.rpartition("/")[2]))
        return self._give("text/html; charset=utf-8", _page(self.path))

    def log_message(self, *args: object) -> None:
        pass

    def _give(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _feed(host: str, number: str) -> bytes:
    items = "".join(
        f"<item><title>Lesson {number}.{item}</title><link>http://{host}/lesson/{number}/{item}</link>"
        f"<guid>http://{host}/lesson/{number}/{item}</guid></item>"
        for item in range(10)
    )
    return f"<rss version='2.0'><channel><title>Feed {number}</title>{items}</channel></rss>".encode()


def _page(path: str) -> bytes:
    words = "This lesson says something that is worth reading and keeping. " * 40
    return f"<html lang='en'><head><title>{path}</title></head><body><p>{words}</p></body></html>".encode()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    Server(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()  # noqa: S104 - for all of 127.0.0.0/8
