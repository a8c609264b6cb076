"""Throttles: how often one user may ask. Counted in each web process by itself, with Django's cache."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from scheduler import conf

_ANONYMOUS_PER_MINUTE = 60


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
            limit = min(limit, _ANONYMOUS_PER_MINUTE)
        self.num_requests, self.duration = limit, 60
        self.scope = "reads" if is_reading else "writes"
        return bool(super().allow_request(request, view))

    def get_cache_key(self, request: Request, view: Any) -> str:
        user = request.user
        who = f"user-{user.pk}" if user.is_authenticated else f"address-{self.get_ident(request)}"
        return f"scheduler-api-{self.scope}-{who}"
