"""Fetch one address as a good guest: allowed by robots.txt, at the host's pace, conditionally, and only so much."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import BinaryIO, cast

from openlearn.scraping import addresses, charsets, conf, dates, text
from openlearn.scraping.errors import (
    AskedToWait,
    ForbiddenByRobots,
    HostIsClosed,
    OutOfTime,
    PageGone,
    PageNotFound,
    RobotsUnavailable,
    UnexpectedStatus,
)
from openlearn.scraping.fetching import politeness
from openlearn.scraping.fetching.robots import RobotsCache, Rules
from scheduler import outgoing

_robots = RobotsCache()

_ACCEPT = {
    "feed": "application/rss+xml, application/atom+xml, application/rdf+xml, application/feed+json, "
    "application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1",
    "sitemap": "application/xml, text/xml;q=0.9, application/gzip;q=0.8, text/plain;q=0.5, */*;q=0.1",
    "page": "text/html, application/xhtml+xml;q=0.9, application/pdf;q=0.6, text/plain;q=0.5, */*;q=0.1",
    "oai": "text/xml, application/xml;q=0.9, */*;q=0.1",
}
_CONTENT = frozenset({200, 203, 226})
"""203 comes through a proxy that changed something, 226 is a whole one after a delta: both carry the content."""

_LONGEST_ETAG = 1000
_NO_INDEX = re.compile(r"\b(?:noindex|none)\b", re.I)
_IN_MEMORY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The answer of one address."""

    url: str
    """Where the answer came from after redirects."""

    not_modified: bool
    """The server reports no change since ``etag`` or ``last_modified``, and ``content`` is empty."""

    content: bytes
    """Empty if the body went into ``file``."""

    content_type: str
    etag: str
    """Empty if there is none, or a longer one than can be kept: a part of one never matches."""

    last_modified: str
    moved_to: str = ""
    """The target of permanent redirects. Empty without redirects, or with others among them."""

    no_index: bool = False
    """A header asks that the content is not collected."""

    max_age_seconds: int = 0
    """The time for which the server calls it fresh."""

    file: BinaryIO | None = None

    @property
    def media_type(self) -> str:
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        return charsets.charset_of(self.content_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """The identity of the requests, and the access that it has."""

    origin: str = ""
    """The only one that ``headers`` are for."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """Access data of the source."""

    obeys_robots: bool = True
    """``False``: the owner of the site agreed to be read all the same. Delays are kept."""


class Fetcher:
    """Requests of one scrape: they share connections and a time limit. A context manager."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        guest: Guest | None = None,
        robots: RobotsCache = _robots,
        before_waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """``before_waiting`` is called before the network is waited for, to let go of what others may need."""
        self._settings = conf.get()
        self._now = now
        self._guest = guest or Guest()
        self._robots = robots
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

    @property
    def seconds_left(self) -> float:
        """Of the time for this scrape."""
        return self._ends_at - time.monotonic()

    def fetch(self, *, url: str, kind: str, etag: str = "", last_modified: str = "") -> Fetched:
        """
        Request a page, a feed, a sitemap or a list of records.

        :raises RequestFailed: the answer is unusable, or the address may not be requested
        :raises ForbiddenByRobots, RobotsUnavailable: the site is closed to programs
        :raises PageNotFound, PageGone, UnexpectedStatus: the answer carries no content
        :raises AskedToWait: the server wants no requests for a while, and its host is closed for all nodes

        :raises OutOfTime: the request was not made
        """
        return self._fetch(url, kind, etag, last_modified, limits=self._limits, into=None)

    def fetch_to_file(self, *, url: str, kind: str, etag: str = "", last_modified: str = "") -> Fetched:
        """Like ``fetch``, for bodies up to 50 MiB, which go into a temporary file that ends with its last user."""
        limits = outgoing.Limits(body_bytes=self._settings.sitemap_bytes, total_seconds=self._settings.request_seconds)
        # Closed by whoever reads it, or with its last reference.
        file = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES))  # noqa: SIM115
        try:
            fetched = self._fetch(url, kind, etag, last_modified, limits=limits, into=file)
        except BaseException:
            file.close()
            raise
        if fetched.not_modified:
            file.close()
        return fetched

    def sitemaps_named_by(self, host_url: str) -> tuple[str, ...]:
        """The sitemaps that the robots.txt of a site names."""
        return self._rules(host_url).sitemaps

    def _fetch(
        self, url: str, kind: str, etag: str, last_modified: str, *, limits: outgoing.Limits, into: BinaryIO | None
    ) -> Fetched:
        headers = {"user-agent": self._settings.user_agent, "accept": _ACCEPT[kind]}
        if etag:
            headers["if-none-match"] = etag
        if last_modified:
            headers["if-modified-since"] = last_modified
        if addresses.origin_of(url) == self._guest.origin:
            headers |= self._guest.headers
        answer = outgoing.request(
            url=url,
            headers=headers,
            limits=limits,
            through=self._client,
            before_each=self._wait_for_permission,
            into=into,
        )
        self._check_status(url, answer, conditional=bool(etag or last_modified))
        if into is not None:
            into.seek(0)
        return _fetched(answer, into)

    def _wait_for_permission(self, url: str) -> None:
        """Ask the site's rules, then wait for this request's turn."""
        # Requesting what is rejected anyway would tell its host about us, or reach it.
        outgoing.check(url=url)
        agent = self._settings.agent_name
        rules = self._rules(url)
        if self._guest.obeys_robots:
            if rules.parsed is None:
                raise RobotsUnavailable(url=url, robots_url=rules.robots_url, reason=rules.problem)
            if not rules.allows(url=url, agent=agent):
                raise ForbiddenByRobots(url=url, robots_url=rules.robots_url)
        self._wait_for_turn(url, self._delay(url, rules.delay_seconds(agent=agent)))

    def _rules(self, url: str) -> Rules:
        return self._robots.rules_for(url=url, fetch=self._fetch_robots, keep_seconds=self._settings.robots_seconds)

    def _delay(self, url: str, wanted: float | None) -> float:
        if wanted is None:
            return 0.0 if outgoing.is_allowed_by_name(url=url) else self._settings.host_delay_seconds
        return min(wanted, self._settings.longest_delay_seconds)

    def _wait_for_turn(self, url: str, delay: float) -> None:
        host, patience = addresses.host_of(url), self.seconds_left
        if patience <= 0:
            raise OutOfTime(url=url, seconds=self._settings.run_seconds)
        turn = politeness.take_turn(host=host, delay_seconds=delay, patience_seconds=patience)
        self._before_waiting()
        if turn.closed_until is not None:
            raise HostIsClosed(url=url, host=host, until_at=turn.closed_until)
        if turn.wait_seconds is None:
            raise OutOfTime(url=url, seconds=self._settings.run_seconds)
        politeness.wait(turn.wait_seconds)

    def _fetch_robots(self, url: str) -> outgoing.Answer:
        self._wait_for_turn(url, self._delay(url, None))
        headers = {"user-agent": self._settings.user_agent, "accept": "text/plain, */*;q=0.1"}
        return outgoing.request(url=url, headers=headers, limits=self._limits, through=self._client)

    def _check_status(self, url: str, answer: outgoing.Answer, *, conditional: bool) -> None:
        status = answer.status_code
        if status in _CONTENT or (status == 304 and conditional):
            return
        if status == 404:
            raise PageNotFound(url=url)
        if status == 410:
            raise PageGone(url=url)
        if status in {429, 503}:
            until_at = self._retry_at(answer.headers.get("retry-after", ""))
            politeness.close(host=addresses.host_of(answer.url), until_at=until_at)
            raise AskedToWait(url=url, status_code=status, until_at=until_at)
        raise UnexpectedStatus(url=url, status_code=status)

    def _retry_at(self, value: str) -> datetime:
        """Read Retry-After: a number of seconds, or a date. “At once” and a date gone by mean the shortest wait."""
        now, settings = self._now(), self._settings
        value = value.strip()
        if value.isascii() and value.isdigit():
            seconds = float(value[:12])
        else:
            date = dates.instant(value)
            seconds = settings.retry_after_seconds if date is None else (date - now).total_seconds()
        bounded = min(max(seconds, settings.shortest_retry_after_seconds), settings.longest_retry_after_seconds)
        return now + timedelta(seconds=bounded)


def _fetched(answer: outgoing.Answer, file: BinaryIO | None) -> Fetched:
    headers = answer.headers
    etag = text.line(headers.get("etag"), most=_LONGEST_ETAG + 1)
    last_modified = text.line(headers.get("last-modified"), most=256)
    return Fetched(
        url=answer.url,
        not_modified=answer.status_code == 304,
        content=answer.content,
        content_type=text.line(headers.get("content-type"), most=255),
        etag=etag if len(etag) <= _LONGEST_ETAG else "",
        last_modified=last_modified if len(last_modified) <= 255 else "",
        moved_to=answer.url if answer.is_permanent else "",
        no_index=_forbids_indexing(headers.get_list("x-robots-tag")),
        max_age_seconds=_max_age(headers.get("cache-control", "")),
        file=file,
    )


def _forbids_indexing(values: list[str]) -> bool:
    """``X-Robots-Tag: noindex``, for all robots or for us. Rules for another robot do not apply."""
    for value in values:
        agent, colon, rules = value.partition(":")
        named = colon and "," not in agent and agent.strip().lower() not in {"unavailable_after"}
        if named and agent.strip().lower() != conf.PRODUCT.lower():
            continue
        if _NO_INDEX.search(rules if named else value):
            return True
    return False


def _max_age(value: str) -> int:
    found = re.search(r"\bmax-age\s*=\s*\"?(\d{1,9})", value, re.I)
    return int(found[1]) if found and "no-store" not in value and "no-cache" not in value else 0
