"""Typed settings: the keys of ``settings.SCRAPING`` in upper case, their units and the reasons for the defaults."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

PRODUCT = "OpenLearnBot"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScrapingSettings:
    user_agent: str = f"{PRODUCT}/1.0 (scheduled reader of open learning material)"
    """Who asks. Add an address where the owners of sites can reach you; robots.txt is read for its first word."""

    host_delay_seconds: float = 1.0
    """Between two requests to one host, unless its robots.txt asks for more. Hosts that the deployer allowed by name
    in ``SCHEDULER['ALLOWED_HOSTS']`` are its own and are asked without a pause."""

    longest_delay_seconds: float = 30.0
    """A crawl delay beyond this is cut to it."""

    run_seconds: float = 300.0
    """One scrape ends after this; what is left is taken up by the next one. Half of the task's time limit."""

    body_bytes: int = 10 * 1024 * 1024
    """Largest answer, after decompression."""

    request_seconds: float = 60.0
    """Longest time for one answer, redirects included."""

    feed_seconds: int = 20
    """Longest processor time for reading one feed; the largest honest ones take two."""

    robots_seconds: float = 3600.0
    """How long a robots.txt is believed."""

    retry_after_seconds: float = 900.0
    """How long to leave a source alone that answers 429 or 503 without saying for how long."""

    longest_retry_after_seconds: float = 86400.0
    """A Retry-After beyond this is cut to it, so that a mistake there does not end a source."""

    page_attempts: int = 3
    """A page that failed this often is given up until the source says that it changed."""


def get() -> ScrapingSettings:
    """:raises ImproperlyConfigured: for an unknown key"""
    given: dict[str, Any] = getattr(settings, "SCRAPING", {})
    known = {field.name for field in dataclasses.fields(ScrapingSettings)}
    unknown = sorted(key for key in given if key.lower() not in known)
    if unknown:
        raise ImproperlyConfigured(f"settings.SCRAPING has unknown keys: {', '.join(unknown)}.")
    return ScrapingSettings(**{key.lower(): value for key, value in given.items()})
