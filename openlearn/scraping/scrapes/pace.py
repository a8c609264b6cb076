"""
The next time that a source is read: not before it wants to be, and more rarely if it rarely changes.

The job of a source fires at the pace of its tier. A scrape before ``rest_until`` makes no requests and reports why, so
that the ledger still accounts for every fire time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from openlearn.scraping.models import Source
from openlearn.scraping.scrapes.summary import Scraped, Wishes
from scheduler.messages import phrase

_LONGEST_WISH = timedelta(days=1)
"""A wish beyond this is cut to it, so that a mistake there does not end a source."""

_SLACK = 0.9
"""Of the pause: a fire time just before the end of a whole one would leave the source alone until the next one."""

_GROWTH = 1.5
"""Factor by which the pause grows with each scrape without new material."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """No scrape before an instant, and why."""

    until: datetime | None = None
    reason: str = ""
    quiet_seconds: int | None = None
    """The learned pace, for the next decision."""


def rest(*, source: Source, scraped: Scraped, now: datetime) -> Rest:
    """Decide how long a source is left alone after a scrape. Work that is left ends no pause that the site wants."""
    quiet_seconds = _learned(source, scraped)
    wished = _wished_until(scraped.wishes, source, now)
    learned = None
    busy = scraped.summary.pages_left or scraped.summary.listings_left
    if quiet_seconds is not None and not busy:
        pause = timedelta(seconds=quiet_seconds)
        learned = now + pause * _SLACK if pause > source.interval else None
    if wished is None and learned is None:
        return Rest(quiet_seconds=quiet_seconds)
    if learned is None or (wished is not None and wished >= learned):
        sentence = phrase("Nothing was requested: the source itself asks to be read later (ttl, skipHours or max-age).")
        return Rest(until=wished, reason=sentence, quiet_seconds=quiet_seconds)
    sentence = phrase(
        "Nothing was requested: the source seldom changes, and its learned pace is one scrape in {hours:g} h.",
        hours=round((quiet_seconds or 0) / 3600, 1),
    )
    return Rest(until=learned, reason=sentence, quiet_seconds=quiet_seconds)


def _learned(source: Source, scraped: Scraped) -> int | None:
    """The next pause: the tier's after a change, half as long again after none, at most what the tier allows."""
    if not source.learns_pace:
        return None
    shortest = source.interval.total_seconds()
    longest = max(shortest, source.SLOWEST[Source.Tier(source.tier)].total_seconds())
    summary = scraped.summary
    if summary.new or summary.changed or summary.pages or summary.deleted:
        return int(shortest)
    return int(min(longest, max(shortest, source.quiet_seconds or shortest) * _GROWTH))


def _wished_until(wishes: Wishes, source: Source, now: datetime) -> datetime | None:
    fresh = min(timedelta(seconds=wishes.fresh_seconds), _LONGEST_WISH)
    pause = max(fresh, source.interval)
    found = [now + pause * _SLACK] if fresh > source.interval else []
    # An hour that is to be skipped may begin or end while the next scrape is due.
    for start in (now + pause * _SLACK, now + pause):
        allowed = _first_allowed(wishes, start)
        if allowed > start:
            found.append(allowed)
    return max(found, default=None)


def _first_allowed(wishes: Wishes, start: datetime) -> datetime:
    """The first instant from ``start`` on that is in no hour or day (UTC) that the feed wants to be skipped."""
    at = start.astimezone(timezone.get_fixed_timezone(0))
    for _ in range(24 * 8):
        if at.hour not in wishes.skipped_hours and at.weekday() not in wishes.skipped_days:
            return at if at > start else start
        at = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return start
