"""Fetch one address as a good guest: allowed by robots.txt, at the host's pace, conditionally, and only so much."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType

from openlearn.scraping import addresses, conf, text
from openlearn.scraping.errors import (
    AskedToWait,
    ForbiddenByRobots,
    OutOfTime,
    PageGone,
    PageNotFound,
    RobotsUnavailable,
    UnexpectedStatus,
)
from openlearn.scraping.politeness import HostGates
from openlearn.scraping.robots import RobotsCache
from scheduler import outgoing

# Shared by all threads of the process: politeness is towards the host, whoever asks.
_robots = RobotsCache()
_gates = HostGates()

_ACCEPT = {
    "feed": "application/rss+xml, application/atom+xml, application/rdf+xml, application/xml;q=0.9, text/xml;q=0.8, "
    "*/*;q=0.1",
    "sitemap": "application/xml, text/xml;q=0.9, application/gzip;q=0.8, */*;q=0.1",
    "page": "text/html, application/xhtml+xml;q=0.9, text/plain;q=0.5, */*;q=0.1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What one address answered."""

    url: str
    """Where the answer came from after redirects."""

    not_modified: bool
    """The server says that nothing changed since ``etag`` or ``last_modified``; ``content`` is empty."""

    content: bytes
    content_type: str
    etag: str
    last_modified: str

    @property
    def media_type(self) -> str:
        return self.content_type.partition(";")[0].strip().lower()


class Fetcher:
    """Requests of one scrape: they share connections and a time limit. A context manager."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        robots: RobotsCache = _robots,
        gates: HostGates = _gates,
        before_waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """``before_waiting`` is called before the network is waited for, to let go of what others may need."""
        self._settings = conf.get()
        self._now = now
        self._robots = robots
        self._gates = gates
        self._before_waiting = before_waiting
        self._ends_at = time.monotonic() + self._settings.run_seconds
        self._limits = outgoing.Limits(
            body_bytes=self._settings.body_bytes, total_seconds=self._settings.request_seconds
        )
        self._client = outgoing.client(limits=self._limits)

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    def fetch(self, *, url: str, kind: str, etag: str = "", last_modified: str = "") -> Fetched:
        """
        Ask for a page, a feed or a sitemap.

        :raises RequestFailed: nothing usable came, or the address may not be asked
        :raises ForbiddenByRobots:
        :raises RobotsUnavailable:
        :raises PageNotFound:
        :raises PageGone:
        :raises AskedToWait:
        :raises UnexpectedStatus:
        :raises OutOfTime: nothing was asked
        """
        headers = {"user-agent": self._settings.user_agent, "accept": _ACCEPT[kind]}
        if etag:
            headers["if-none-match"] = etag
        if last_modified:
            headers["if-modified-since"] = last_modified
        self._before_waiting()
        answer = outgoing.request(
            url=url, headers=headers, limits=self._limits, through=self._client, before_each=self._ask_leave
        )
        self._check_status(url, answer, conditional=bool(etag or last_modified))
        return Fetched(
            url=answer.url,
            not_modified=answer.status_code == 304,
            content=answer.content,
            content_type=text.line(answer.headers.get("content-type"), most=255),
            etag=text.line(answer.headers.get("etag"), most=255),
            last_modified=text.line(answer.headers.get("last-modified"), most=255),
        )

    def _ask_leave(self, url: str) -> None:
        """Ask the site's rules, then wait for this request's turn."""
        # Asking for an address that is refused anyway would tell its host about us, or reach it.
        outgoing.check(url=url)
        agent = self._settings.user_agent
        rules = self._robots.rules_for(url=url, fetch=self._fetch_robots, keep_seconds=self._settings.robots_seconds)
        if rules.parsed is None:
            raise RobotsUnavailable(url=url, robots_url=rules.robots_url, reason=rules.problem)
        if not rules.allows(url=url, agent=agent):
            raise ForbiddenByRobots(url=url, robots_url=rules.robots_url)
        delay = rules.delay_seconds(agent=agent)
        if delay is None:
            delay = 0.0 if outgoing.is_allowed_by_name(url=url) else self._settings.host_delay_seconds
        patience = self._ends_at - time.monotonic()
        waited = self._gates.pass_through(
            host=addresses.host_of(url),
            delay_seconds=min(delay, self._settings.longest_delay_seconds),
            patience_seconds=patience,
        )
        if waited is None or patience <= 0:
            raise OutOfTime(url=url, seconds=self._settings.run_seconds)

    def _fetch_robots(self, url: str) -> outgoing.Answer:
        headers = {"user-agent": self._settings.user_agent, "accept": "text/plain, */*;q=0.1"}
        return outgoing.request(url=url, headers=headers, limits=self._limits, through=self._client)

    def _check_status(self, url: str, answer: outgoing.Answer, *, conditional: bool) -> None:
        status = answer.status_code
        if status == 200 or (status == 304 and conditional):
            return
        if status == 404:
            raise PageNotFound(url=url)
        if status == 410:
            raise PageGone(url=url)
        if status in {429, 503}:
            until_at = self._retry_at(answer.headers.get("retry-after", ""))
            raise AskedToWait(url=url, status_code=status, until_at=until_at)
        raise UnexpectedStatus(url=url, status_code=status)

    def _retry_at(self, value: str) -> datetime:
        """Read Retry-After: a number of seconds, or a date."""
        now = self._now()
        value = value.strip()
        if value.isascii() and value.isdigit():
            seconds = float(value[:12])
        else:
            date = text.http_date(value)
            seconds = self._settings.retry_after_seconds if date is None else (date - now).total_seconds()
        return now + timedelta(seconds=min(max(seconds, 0.0), self._settings.longest_retry_after_seconds))
