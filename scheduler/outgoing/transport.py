"""
The transport: a name is looked up once, all its addresses are checked, and the one connected to is one of those.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import httpcore
import httpx

from scheduler import conf
from scheduler.core import network, request_messages
from scheduler.errors import DestinationRefused, Misconfigured
from scheduler.messages import Message, phrase

_deadline: ContextVar[float | None] = ContextVar("outgoing_deadline", default=None)


@contextmanager
def deadline_in(*, seconds: float) -> Iterator[None]:
    """Let no operation on a connection of this thread go on after that many seconds."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def _time_left(timeout: float | None) -> float | None:
    deadline = _deadline.get()
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout(phrase("the time for the whole request is over"))
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    """A connection on which no single operation outlives the request's deadline."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _time_left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _time_left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _time_left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Connect to addresses that were checked, never to names."""

    def __init__(self, *, allowed_hosts: tuple[str, ...]) -> None:
        self._allowed_hosts = allowed_hosts
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._checked_addresses(host, port)
        for number, address in enumerate(addresses, start=1):
            try:
                return _Stream(
                    self._inner.connect_tcp(address, port, _time_left(timeout), local_address, socket_options)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses):
                    raise
        raise httpcore.ConnectError(phrase("{host} has no address", host=host))

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise DestinationRefused(request_messages.SOCKET_REFUSED(path=path))

    def _checked_addresses(self, host: str, port: int) -> tuple[str, ...]:
        """Look the name up once. One refused address is enough to refuse the name."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            problem = phrase("the name {host} cannot be looked up ({error})", host=host, error=str(error))
            raise httpcore.ConnectError(problem) from error
        addresses = tuple(dict.fromkeys(str(item[4][0]) for item in found))
        if not network.is_allowed(host=host, port=port, allowed_hosts=self._allowed_hosts):
            for address in addresses:
                network.check_address(address=address, host=host, port=port)
        return addresses


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        with _httpx_errors():
            yield from self._stream

    def close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()


class GuardedTransport(httpx.BaseTransport):
    """An httpx transport that asks the guard before each request, so that no caller can forget to."""

    def __init__(self, *, allowed_hosts: tuple[str, ...]) -> None:
        self._allowed_hosts = allowed_hosts
        self._pool = httpcore.ConnectionPool(
            ssl_context=_ssl_context(conf.get().ca_file),
            max_connections=10,
            max_keepalive_connections=5,
            keepalive_expiry=5.0,
            network_backend=_Backend(allowed_hosts=allowed_hosts),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        network.check_destination(
            scheme=url.scheme,
            host=url.raw_host.decode("ascii"),
            port=url.port,
            has_credentials=bool(url.userinfo),
            allowed_hosts=self._allowed_hosts,
        )
        outgoing = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _httpx_errors():
            response = self._pool.handle_request(outgoing)
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response.stream),  # type: ignore[arg-type]
            extensions=response.extensions,
        )

    def close(self) -> None:
        self._pool.close()


@contextmanager
def _httpx_errors() -> Iterator[None]:
    """httpx promises its own exceptions. It names each like the one of httpcore that it stands for."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.UnsupportedProtocol,
    ) as error:
        raise getattr(httpx, type(error).__name__)(problem_of(error)) from error


def problem_of(error: Exception) -> str:
    """Return what an error of a request says: ours as a message, that of a library or of the system as its text."""
    said = error.args[0] if error.args else ""
    return said if isinstance(said, Message) else str(error)


@lru_cache(maxsize=4)
def _ssl_context(ca_file: str) -> ssl.SSLContext:
    """The public authorities, and those of ``ca_file`` beside them."""
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(
                f"SCHEDULER['CA_FILE'] is {ca_file[:200]}, which holds no certificates in PEM form: {error}."
            ) from error
    return context
