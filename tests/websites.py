"""A web server for tests that misbehaves on demand: real sockets on loopback, in a thread."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Route = Callable[[BaseHTTPRequestHandler], None]


class Website:
    """Answers the paths it was given; everything else, ``/robots.txt`` included, is 404."""

    def __init__(self, *, certificate: Path | None = None) -> None:
        """``certificate``: answer https with this file of a certificate and its key."""
        self.routes: dict[str, Route] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        """Path and headers (lower case) of every request, in the order of arrival."""

        self.stopping = threading.Event()
        """Set when the test is over: endless answers watch it."""

        site = self

        class Handler(BaseHTTPRequestHandler):
            # Header and body are two writes: without this each answer waits 40 ms for an acknowledgement.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                site.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                route = site.routes.get(self.path)
                try:
                    if route is None:
                        reply(status=404)(self)
                    else:
                        route(self)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # The client has heard enough: that is what some tests are about.

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.root = f"{'https' if certificate else 'http'}://{self.host}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def url(self, path: str) -> str:
        return self.root + path

    def asked(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(asked == path for asked, _ in self.requests)


def reply(
    content: bytes | str = b"", *, status: int = 200, content_type: str = "text/html; charset=utf-8", **headers: str
) -> Route:
    """Answer like that. Names of headers are given with underscores."""
    body = content.encode() if isinstance(content, str) else content

    def route(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        if content_type:
            handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return route


def reply_if_changed(content: str, *, etag: str, content_type: str = "text/html; charset=utf-8") -> Route:
    """Answer 304 to whoever has this version already."""

    def route(handler: BaseHTTPRequestHandler) -> None:
        if handler.headers.get("If-None-Match") == etag:
            handler.send_response(304)
            handler.send_header("ETag", etag)
            handler.end_headers()
        else:
            reply(content, content_type=content_type, ETag=etag)(handler)

    return route


def reply_file(path: Path) -> Route:
    """Serve a page from the disk, with Last-Modified and 304 as plain web servers do."""

    def route(handler: BaseHTTPRequestHandler) -> None:
        modified = formatdate(path.stat().st_mtime, usegmt=True)
        if handler.headers.get("If-Modified-Since") == modified:
            handler.send_response(304)
            handler.end_headers()
        else:
            reply(path.read_bytes(), content_type="text/html", Last_Modified=modified)(handler)

    return route


def article(title: str, *, text: str = "", head: str = "") -> str:
    """A page with enough text for people to read."""
    words = text or f"{title} is explained here in some sentences that belong to the lesson. " * 12
    return (
        f"<!doctype html><html lang='en'><head><title>{title}</title>{head}</head>"
        f"<body><nav><a href='/'>Home</a></nav><article><h1>{title}</h1><p>{words}</p></article></body></html>"
    )


def rss(*items: str, language: str = "en") -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>Feed</title>'
        f"<link>/</link><description>D</description><language>{language}</language>{''.join(items)}</channel></rss>"
    )


def item(title: str, link: str, *, guid: str = "", description: str = "A summary.") -> str:
    identity = f"<guid isPermaLink='false'>{guid}</guid>" if guid else ""
    return f"<item><title>{title}</title><link>{link}</link>{identity}<description>{description}</description></item>"


def sitemap(*locations: tuple[str, str]) -> str:
    """``(address, lastmod)``; an empty lastmod is left out."""
    urls = "".join(
        f"<url><loc>{url}</loc>{f'<lastmod>{changed}</lastmod>' if changed else ''}</url>" for url, changed in locations
    )
    return f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'
