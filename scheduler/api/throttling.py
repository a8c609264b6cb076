"""Throttles: how often one user may ask. Counted in each web process by itself, with Django's cache."""

from __future__ import annotations

import math
from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from scheduler import conf

ANONYMOUS_PER_MINUTE = 60


def address_of(request: Request) -> str:
    """
    Return where a request comes from.

    ``X-Forwarded-For`` is what a client likes to say, but for the entries that proxies of the project's own have added:
    ``SCHEDULER["API_PROXIES"]`` says how many there are.
    """
    proxies = conf.get().api_proxies
    forwarded = [entry.strip() for entry in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if entry.strip()]
    if proxies and forwarded:
        return str(forwarded[-min(proxies, len(forwarded))])
    return str(request.META.get("REMOTE_ADDR", ""))


class PerMinute(SimpleRateThrottle):
    """Reads and writes are counted apart, for each user, or for each address of anonymous clients."""

    scope = "scheduler"
    rate = "1/min"  # replaced by what the settings say when a request comes

    def allow_request(self, request: Request, view: Any) -> bool:
        settings = conf.get()
        is_reading = request.method in ("GET", "HEAD", "OPTIONS")
        limit = settings.api_reads_per_minute if is_reading else settings.api_writes_per_minute
        if not limit:
            return True
        if not request.user.is_authenticated:
            limit = min(limit, ANONYMOUS_PER_MINUTE)
        self.num_requests, self.duration = limit, 60
        self.scope = "reads" if is_reading else "writes"
        is_allowed = bool(super().allow_request(request, view))
        request.rate_limit = self._headers(limit)
        return is_allowed

    def _headers(self, limit: int) -> dict[str, str]:
        """Return what is left, as draft-ietf-httpapi-ratelimit-headers has it: the policy, and where it stands."""
        begun = self.history[-1] if self.history else self.now
        seconds = max(0, math.ceil(begun + self.duration - self.now))
        return {
            "RateLimit-Policy": f'"{self.scope}";q={limit};w={self.duration}',
            "RateLimit": f'"{self.scope}";r={max(0, limit - len(self.history))};t={seconds}',
        }

    def get_cache_key(self, request: Request, view: Any) -> str:
        user = request.user
        who = f"user-{user.pk}" if user.is_authenticated else f"address-{address_of(request)}"
        return f"scheduler-api-{self.scope}-{who}"


class Unknown(SimpleRateThrottle):
    """Requests of an address whose token or session was not accepted, or that brought neither."""

    rate = f"{ANONYMOUS_PER_MINUTE}/min"

    def allow_request(self, request: Request, view: Any) -> bool:
        return not conf.get().api_reads_per_minute or bool(super().allow_request(request, view))

    def get_cache_key(self, request: Request, view: Any) -> str:
        return f"scheduler-api-unknown-address-{address_of(request)}"
