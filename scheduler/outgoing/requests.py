"""Ask, follow redirects, read the answer to its end."""

from __future__ import annotations

import http.cookiejar
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import httpx

from scheduler import conf
from scheduler.core import network, request_messages
from scheduler.errors import (
    AnswerTooLarge,
    AnswerTooSlow,
    AnswerUnreadable,
    DestinationRefused,
    TooManyRedirects,
    Unreachable,
)
from scheduler.outgoing import decoding
from scheduler.outgoing.limits import Limits
from scheduler.outgoing.transport import GuardedTransport, deadline_in, problem_of

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FOR_GOOD = frozenset({301, 308})

# What may follow a redirect to another origin: nothing that could be a secret.
_HARMLESS_HEADERS = frozenset(
    {"accept", "accept-encoding", "accept-language", "content-type", "if-modified-since", "if-none-match", "user-agent"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that was read to its end."""

    url: str
    """Where it came from after redirects."""

    status_code: int
    headers: httpx.Headers
    content: bytes
    redirects: tuple[str, ...]
    """The addresses asked before ``url``, first to last."""

    is_permanent: bool = False
    """All of the redirects, and at least one, say that they are for good (301, 308)."""

    @property
    def media_type(self) -> str:
        """Such as ``text/html``, empty if the server omitted it."""
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()


def client(*, allowed_hosts: Iterable[str] | None = None, limits: Limits | None = None) -> httpx.Client:
    """
    Make a client for one piece of work. Close it afterwards.

    ``allowed_hosts``: ``host`` or ``host:port`` that may be reached although they are not public. By default
    ``SCHEDULER['ALLOWED_HOSTS']``.
    """
    hosts = tuple(conf.get().allowed_hosts if allowed_hosts is None else allowed_hosts)
    bounds = limits or Limits()
    nothing_kept = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    return httpx.Client(
        transport=GuardedTransport(allowed_hosts=hosts),
        timeout=httpx.Timeout(bounds.read_seconds, connect=bounds.connect_seconds),
        follow_redirects=False,
        trust_env=False,
        cookies=nothing_kept,
    )


def request(
    *,
    url: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    limits: Limits | None = None,
    through: httpx.Client | None = None,
    before_each: Callable[[str], None] | None = None,
    into: decoding.Sink | None = None,
) -> Answer:
    """
    Send one request and read the whole response, following redirects.

    ``through``: a client made by ``client()``, to keep connections over several requests. ``before_each`` is called
    with each address before its request, including redirects. It may raise to stop. ``into``: where the body of an
    answer with status 200 goes instead of ``Answer.content``, for bodies that are not to be held in memory.

    A response of any status is returned. The caller interprets a 404.

    :raises DestinationRefused: for the address itself, a redirect, or what its name resolves to
    :raises Unreachable:
    :raises AnswerTooLarge:
    :raises AnswerTooSlow:
    :raises AnswerUnreadable:
    :raises TooManyRedirects:
    """
    bounds = limits or Limits()
    message = _Message(method=method.upper(), headers=dict(headers or {}), content=content)
    if through is None:
        with client(limits=bounds) as own:
            return _follow(own, url, message, bounds, before_each, into)
    return _follow(through, url, message, bounds, before_each, into)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """The request to each address."""

    method: str
    headers: dict[str, str]
    content: bytes | None

    def for_redirect(self, status_code: int, *, leaves_origin: bool) -> _Message:
        """The request to the next address."""
        headers = self.headers
        if leaves_origin:
            headers = {name: value for name, value in headers.items() if name in _HARMLESS_HEADERS}
        if status_code == 303 or (status_code in {301, 302} and self.method == "POST"):
            without_body = {name: value for name, value in headers.items() if name != "content-type"}
            return _Message(method="HEAD" if self.method == "HEAD" else "GET", headers=without_body, content=None)
        return replace(self, headers=headers)


def _follow(
    through: httpx.Client,
    url: str,
    message: _Message,
    limits: Limits,
    before_each: Callable[[str], None] | None,
    into: decoding.Sink | None,
) -> Answer:
    place = parse(url)
    asked: list[str] = []
    permanent = True
    # Only what can be unpacked under a bound is asked for.
    headers = {name.lower(): value for name, value in message.headers.items()} | {"accept-encoding": "gzip, deflate"}
    if "host" in headers:
        raise DestinationRefused(request_messages.HOST_HEADER_GIVEN(url=url))
    message = replace(message, headers=headers)
    time_left = limits.total_seconds
    while True:
        if before_each is not None:
            before_each(str(place))
        started = time.monotonic()
        answer = _send(through, place, message, limits, tuple(asked), time_left, into)
        # Waiting in before_each is politeness, not slowness of the server: it does not count.
        time_left -= time.monotonic() - started
        target = answer.headers.get("location")
        if answer.status_code not in REDIRECTS or not target:
            return replace(answer, is_permanent=permanent and bool(asked))
        permanent = permanent and answer.status_code in _FOR_GOOD
        asked.append(str(place))
        if len(asked) > limits.redirects:
            raise TooManyRedirects(
                request_messages.REDIRECTED_TOO_OFTEN(url=url, most=limits.redirects, target=target[:200])
            )
        following = parse(target, base=place)
        message = message.for_redirect(answer.status_code, leaves_origin=_origin(following) != _origin(place))
        place = following


def parse(url: str, *, base: httpx.URL | None = None) -> httpx.URL:
    """
    Read an address, relative to ``base`` if given.

    :raises DestinationRefused: it is none
    """
    try:
        place = httpx.URL(url) if base is None else base.join(url)
        _ = place.host  # read now: httpx would fail on a wrong name in the middle of the request
        return place
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise DestinationRefused(request_messages.NOT_AN_ADDRESS(url=url[:200], problem=f"{error}")) from None


def check(*, url: str) -> None:
    """
    Check an address without asking it or looking its name up.

    :raises DestinationRefused:
    """
    place = parse(url)
    network.check_destination(
        scheme=place.scheme,
        host=place.raw_host.decode("ascii"),
        port=place.port,
        has_credentials=bool(place.userinfo),
        allowed_hosts=conf.get().allowed_hosts,
    )


def is_allowed_by_name(*, url: str) -> bool:
    """Say whether ``SCHEDULER['ALLOWED_HOSTS']`` names the host of this address."""
    place = parse(url)
    port = place.port or network.SCHEMES.get(place.scheme, 0)
    return network.is_allowed(host=place.raw_host.decode("ascii"), port=port, allowed_hosts=conf.get().allowed_hosts)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or network.SCHEMES.get(url.scheme)


def _send(
    through: httpx.Client,
    url: httpx.URL,
    message: _Message,
    limits: Limits,
    asked: tuple[str, ...],
    seconds: float,
    into: decoding.Sink | None,
) -> Answer:
    with (
        _explained(url, limits),
        deadline_in(seconds=seconds),
        through.stream(message.method, url, headers=message.headers, content=message.content) as response,
    ):
        size = sum(len(name) + len(value) + 4 for name, value in response.headers.raw)
        if size > limits.header_bytes:
            raise AnswerTooLarge(request_messages.HEADER_TOO_LARGE(url=str(url), size=size, most=limits.header_bytes))
        body = b""
        if into is not None and response.status_code == 200:
            decoding.read_into(into, response, limits)
        elif message.method != "HEAD":
            body = decoding.read(response, limits)
        return Answer(
            url=str(url),
            status_code=response.status_code,
            headers=response.headers,
            content=body,
            redirects=asked,
        )


@contextmanager
def _explained(url: httpx.URL, limits: Limits) -> Iterator[None]:
    """Raise the errors of httpx as errors of this package."""
    address = str(url)
    try:
        yield
    except httpx.TimeoutException as error:
        raise AnswerTooSlow(
            request_messages.NOT_IN_TIME(url=address, silence=limits.read_seconds, total=limits.total_seconds)
        ) from error
    except UnicodeError as error:
        # httpx reads the address of a redirect although it is not asked to follow it.
        raise AnswerUnreadable(request_messages.REDIRECT_UNREADABLE(url=address, problem=f"{error}")) from error
    except (httpx.ProtocolError, httpx.UnsupportedProtocol) as error:
        raise AnswerUnreadable(request_messages.NOT_HTTP(url=address, problem=problem_of(error))) from error
    except httpx.TransportError as error:
        is_untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
        fact = request_messages.CERTIFICATE_NOT_TRUSTED if is_untrusted else request_messages.NOT_REACHED
        raise Unreachable(fact(url=address, problem=problem_of(error))) from error
