"""What robots.txt says, as RFC 9309 reads it, remembered for a while for each host."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from protego import Protego

from openlearn.scraping import addresses, text
from scheduler.errors import RequestFailed
from scheduler.outgoing import Answer

_LARGEST_BYTES = 500 * 1024
"""RFC 9309: at least this much of the file has to be read; more is ignored."""

_UNAVAILABLE_SECONDS = 300.0
"""How long a site counts as closed after its robots.txt could not be read."""

_ORIGINS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What one site asks of programs."""

    robots_url: str
    parsed: Protego | None
    """``None``: it could not be read, ``problem`` says why."""

    problem: str = ""

    def allows(self, *, url: str, agent: str) -> bool:
        return self.parsed is not None and self.parsed.can_fetch(url, agent)

    def delay_seconds(self, *, agent: str) -> float | None:
        """Between two requests; ``None`` if the site does not care."""
        if self.parsed is None:
            return None
        rate = self.parsed.request_rate(agent)
        delays = [self.parsed.crawl_delay(agent), rate.seconds / rate.requests if rate and rate.requests else None]
        return max((float(delay) for delay in delays if delay is not None and delay >= 0), default=None)


class RobotsCache:
    """The rules of sites by origin."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, Rules]] = OrderedDict()

    def rules_for(self, *, url: str, fetch: Callable[[str], Answer], keep_seconds: float) -> Rules:
        """Return the rules of the site, asking ``fetch`` for its robots.txt if they are not known or too old."""
        origin = addresses.origin_of(url)
        with self._lock:
            known = self._known.get(origin)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        # Two threads may both ask for one file; waiting for each other's network would be worse.
        rules = _ask(f"{origin}/robots.txt", fetch)
        lifetime = keep_seconds if rules.parsed is not None else min(keep_seconds, _UNAVAILABLE_SECONDS)
        with self._lock:
            self._known[origin] = (time.monotonic() + lifetime, rules)
            self._known.move_to_end(origin)
            while len(self._known) > _ORIGINS:
                self._known.popitem(last=False)
        return rules


def _ask(robots_url: str, fetch: Callable[[str], Answer]) -> Rules:
    try:
        answer = fetch(robots_url)
    except RequestFailed as error:
        return Rules(robots_url=robots_url, parsed=None, problem=str(error))
    if answer.status_code == 429 or answer.status_code >= 500:
        return Rules(robots_url=robots_url, parsed=None, problem=f"status {answer.status_code}")
    # RFC 9309, 2.3.1.3: any other refusal means that there are no rules.
    body = answer.content[:_LARGEST_BYTES] if answer.status_code == 200 else b""
    return Rules(robots_url=robots_url, parsed=Protego.parse(text.decode(content=body, charset="utf-8")))
