"""The further documents that list items of a source, requested in fair turns as pages are."""

from __future__ import annotations

from datetime import datetime

from openlearn.scraping import addresses
from openlearn.scraping.errors import PageGone, PageNotFound
from openlearn.scraping.fetching.fetcher import Fetched
from openlearn.scraping.models import Listing, Source
from openlearn.scraping.reading.sitemaps import Location
from openlearn.scraping.storing import pages

MOST = 50_000
"""Of one source: the most sitemaps that an index may name, by the standard."""


def sync(*, source: Source, locations: list[Location]) -> int:
    """Store the sitemaps that an index names. New and changed ones are due. Returns how many are beyond the limit."""
    by_url = {location.url: location for location in locations if location.url != source.url}
    known = dict(Listing.objects.filter(source=source, url__in=by_url).values_list("url", "marker"))
    unknown = [location for url, location in by_url.items() if url not in known]
    room = max(0, MOST - Listing.objects.filter(source=source).count()) if unknown else 0
    Listing.objects.bulk_create(
        [
            Listing(source=source, url=location.url, marker=pages.marker_of(location), is_due=True)
            for location in unknown[:room]
        ],
        ignore_conflicts=True,
    )
    for url, marker in known.items():
        if marker != pages.marker_of(by_url[url]):
            Listing.objects.filter(source=source, url=url).update(marker=pages.marker_of(by_url[url]), is_due=True)
    return len(unknown[room:])


def add_next(*, source: Source, url: str, again: bool) -> None:
    """Note the next page of a feed. ``again``: read it also if it was read before."""
    if url == source.url or not addresses.same_site(url, source.url):
        return
    if Listing.objects.filter(source=source).count() >= MOST:
        return
    _, created = Listing.objects.get_or_create(source=source, url=url, defaults={"is_due": True})
    if again and not created:
        Listing.objects.filter(source=source, url=url).update(is_due=True)


def to_fetch(*, source: Source, now: datetime, limit: int, recheck: bool) -> list[Listing]:
    """
    Choose listings whose turn it is and then, for ``recheck``, those without a date of change, longest unread first.
    """
    own = Listing.objects.filter(source=source)
    chosen = list(own.due(now)[:limit])
    if recheck and len(chosen) < limit:
        unsure = own.filter(is_due=False, failures=0, marker="").order_by("asked_at", "id")
        chosen += unsure[: limit - len(chosen)]
    return chosen


def left(*, source: Source) -> int:
    """Return how many wait for their turn."""
    return Listing.objects.filter(source=source).waiting().count()


def record_read(*, listing: Listing, fetched: Fetched, locations: int, is_complete: bool, now: datetime) -> None:
    """Note that a listing was read. One that was read in part is requested again as a whole."""
    values: dict[str, object] = {
        "is_due": False, "failures": 0, "last_error": "", "failure_code": "", "failure": {}, "retry_at": None,
        "asked_at": now,
    }  # fmt: skip
    if not fetched.not_modified:
        values |= {
            "locations": locations,
            "etag": fetched.etag if is_complete else "",
            "last_modified": fetched.last_modified if is_complete else "",
        }
    Listing.objects.filter(pk=listing.pk).update(**values)


def record_failure(*, listing: Listing, error: Exception, now: datetime) -> None:
    """Note what went wrong. A listing that does not exist is forgotten: its index names it anew if it comes back."""
    if isinstance(error, PageNotFound | PageGone) and listing.failures >= 2:
        Listing.objects.filter(pk=listing.pk).delete()
        return
    values = pages.failure_values(error=error, failures=listing.failures, now=now)
    Listing.objects.filter(pk=listing.pk).update(**values)
