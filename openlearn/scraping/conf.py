"""Typed settings: the keys of ``settings.SCRAPING`` in upper case, their units and the reasons for the defaults."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

PRODUCT = "OpenLearnBot"

_MAY_BE_ZERO = frozenset({"host_delay_seconds", "robots_seconds", "listing_limit"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScrapingSettings:
    user_agent: str = f"{PRODUCT}/1.0 (scheduled reader of open learning material)"
    """The user agent of all requests. Add an address where the owners of sites can reach you; robots.txt is read for
    its first word."""

    host_delay_seconds: float = 1.0
    """Between two requests to one host, unless its robots.txt asks for more. Hosts that the deployer allowed by name
    in ``SCHEDULER['ALLOWED_HOSTS']`` are its own and are asked without a pause."""

    longest_delay_seconds: float = 120.0
    """A crawl delay beyond this is cut to it: a scrape of five minutes still fetches two pages."""

    run_seconds: float = 300.0
    """One scrape ends after this; what is left is taken up by the next one. Half of the task's time limit."""

    body_bytes: int = 10 * 1024 * 1024
    """Largest page or feed, after decompression."""

    sitemap_bytes: int = 50 * 1024 * 1024
    """Largest sitemap, after decompression: what the standard allows. It is read piece by piece."""

    listing_limit: int = 100
    """Most sitemaps under an index, and further pages of a feed, that one scrape requests; the next one goes on."""

    source_pages: int = 1_000_000
    """Most pages kept of one source; the scrape reports what is beyond."""

    request_seconds: float = 60.0
    """Longest time for one answer, redirects included."""

    feed_entries: int = 10_000
    """Most entries taken from one reading of a feed; the next scrape continues behind them."""

    feed_seconds: int = 20
    """Longest processor time for reading one feed; the largest honest ones take two."""

    page_seconds: int = 20
    """Longest processor time for extracting the text of one page: typical ones take a twentieth of a second, large
    ones (2.5 MB of links) ten."""

    extraction_processes: int = 2
    """Number of pages read at once by the job that extracts their text."""

    robots_seconds: float = 3600.0
    """Time for which a robots.txt is believed."""

    retry_after_seconds: float = 900.0
    """Pause of a source that answers 429 or 503 without a Retry-After."""

    longest_retry_after_seconds: float = 86400.0
    """A Retry-After beyond this is cut to it, so that a mistake there does not end a source."""

    shortest_retry_after_seconds: float = 60.0
    """A Retry-After below this, or in the past, is raised to it."""

    @property
    def agent_name(self) -> str:
        """The name by which robots.txt addresses this program: the first word, without its version."""
        return self.user_agent.partition("/")[0].split()[0] if self.user_agent.strip() else PRODUCT


def get() -> ScrapingSettings:
    """:raises ImproperlyConfigured: for an unknown key, or a value out of range"""
    given: dict[str, Any] = getattr(settings, "SCRAPING", {})
    known = {field.name for field in dataclasses.fields(ScrapingSettings)}
    unknown = sorted(key for key in given if key.lower() not in known)
    if unknown:
        raise ImproperlyConfigured(f"settings.SCRAPING has unknown keys: {', '.join(unknown)}.")
    for key, value in given.items():
        least = 0 if key.lower() in _MAY_BE_ZERO else 0.001
        if isinstance(value, int | float) and not isinstance(value, bool) and value < least:
            raise ImproperlyConfigured(f"settings.SCRAPING[{key!r}] is {value}. It must be more than 0.")
    return ScrapingSettings(**{key.lower(): value for key, value in given.items()})
