"""
The rules of robots.txt, as RFC 9309 reads them.

One node fetches the file of an origin for all of them: it is kept in PostgreSQL, and parsed in memory.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from protego import Protego

from openlearn.scraping import addresses, charsets, text
from openlearn.scraping.models import RobotsFile
from scheduler.errors import RequestFailed
from scheduler.outgoing import Answer

_LARGEST_BYTES = 500 * 1024
"""Part of the file that is read. RFC 9309 requires at least this much."""

_UNAVAILABLE_SECONDS = 300.0
"""Time for which a site counts as closed after its robots.txt could not be read."""

_PARSED_SECONDS = 300.0
"""Time for which a parsed file is used before the table is read again."""

_ORIGINS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of one site for programs."""

    robots_url: str
    parsed: Protego | None
    """``None``: it could not be read, ``problem`` says why."""

    problem: str = ""

    def allows(self, *, url: str, agent: str) -> bool:
        return self.parsed is not None and bool(self.parsed.can_fetch(url, agent))

    def delay_seconds(self, *, agent: str) -> float | None:
        """Seconds between two requests, or ``None`` if the site does not set a delay."""
        if self.parsed is None:
            return None
        rate = self.parsed.request_rate(agent)
        delays = [self.parsed.crawl_delay(agent), rate.seconds / rate.requests if rate and rate.requests else None]
        return max((float(delay) for delay in delays if delay is not None and delay >= 0), default=None)

    @property
    def sitemaps(self) -> tuple[str, ...]:
        """The sitemaps that the site names, also those on other hosts."""
        return tuple(self.parsed.sitemaps) if self.parsed is not None else ()


class RobotsCache:
    """The rules of sites by origin, parsed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, Rules]] = OrderedDict()

    def rules_for(self, *, url: str, fetch: Callable[[str], Answer], keep_seconds: float) -> Rules:
        """Return the rules of the site. ``fetch`` requests its robots.txt if the stored one is missing or too old."""
        origin = addresses.origin_of(url)
        with self._lock:
            known = self._known.get(origin)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        file = _stored(origin, keep_seconds) or _store(_asked(origin, fetch))
        parsed = None if file.problem else Protego.parse(file.body)
        rules = Rules(robots_url=f"{origin}/robots.txt", parsed=parsed, problem=file.problem)
        with self._lock:
            self._known[origin] = (time.monotonic() + min(keep_seconds, _PARSED_SECONDS), rules)
            self._known.move_to_end(origin)
            while len(self._known) > _ORIGINS:
                self._known.popitem(last=False)
        return rules


def _stored(origin: str, keep_seconds: float) -> RobotsFile | None:
    file = RobotsFile.objects.filter(origin=origin).first()
    if file is None:
        return None
    lifetime = min(keep_seconds, _UNAVAILABLE_SECONDS) if file.problem else keep_seconds
    return file if file.fetched_at + timedelta(seconds=lifetime) > timezone.now() else None


def _store(file: RobotsFile) -> RobotsFile:
    values = {"body": file.body, "problem": file.problem, "fetched_at": file.fetched_at}
    RobotsFile.objects.update_or_create(origin=file.origin, defaults=values)
    return file


def _asked(origin: str, fetch: Callable[[str], Answer]) -> RobotsFile:
    robots_url = f"{origin}/robots.txt"
    body = problem = ""
    try:
        answer = fetch(robots_url)
    except RequestFailed as error:
        problem = str(error)
    else:
        if answer.status_code == 429 or answer.status_code >= 500:
            problem = f"status {answer.status_code}"
        elif answer.status_code == 200:
            body = text.storable(charsets.decode(content=answer.content[:_LARGEST_BYTES], charset="utf-8"))
        # RFC 9309, 2.3.1.3: any other refusal means that there are no rules.
    return RobotsFile(origin=origin, body=body, problem=text.storable(problem, most=1000), fetched_at=timezone.now())
