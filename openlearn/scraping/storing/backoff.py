"""The pause before a page that could not be fetched is requested again. It is never given up."""

from __future__ import annotations

from datetime import datetime, timedelta

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

_PACES = {
    "not_found": (_HOUR, 14 * _DAY),
    "gone": (_DAY, 30 * _DAY),
    "forbidden_by_robots": (_HOUR, _DAY),
    "robots_unavailable": (timedelta(minutes=15), _DAY),
    "wrong_content_type": (_DAY, 30 * _DAY),
    "not_for_indexing": (_DAY, 30 * _DAY),
    "destination_refused": (_DAY, 30 * _DAY),
}
"""By kind of failure: the first wait, which doubles with each failure, and the longest."""

_OTHERS = (timedelta(minutes=15), _DAY)

MARKED_AGAIN = _HOUR
"""A page that fails and that its source says was changed is requested this soon after the last request."""


def retry_at(*, code: str, failures: int, now: datetime) -> datetime:
    """When a page is due again that just failed for the ``failures``-th time in a row."""
    first, longest = _PACES.get(code, _OTHERS)
    return now + min(first * 2 ** min(failures - 1, 20), longest)


def code_of(error: Exception) -> str:
    """The kind of a failure, as it is stored."""
    return str(getattr(error, "code", "") or type(error).__name__)[:40]
