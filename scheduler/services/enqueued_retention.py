"""Delete old enqueued runs in small batches: by their outcome and their queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from uuid import UUID

from scheduler import conf
from scheduler.store.cleaning import retention

_PAGE_ROWS = 2000
"""Rows that are looked at together, without a lock."""


_SMALLEST_BATCH = 50
_LONGEST_DELETE_SECONDS = 0.5
"""A batch that took longer is followed by one of half its size, so that locks stay below a second."""


class Batch:
    """The size of the next batch, smaller after a slow one."""

    def __init__(self, size: int) -> None:
        self.size = size

    def time(self, delete: Callable[[], int]) -> int:
        started = time.monotonic()
        deleted = delete()
        if time.monotonic() - started > _LONGEST_DELETE_SECONDS:
            self.size = max(min(self.size, _SMALLEST_BATCH), self.size // 2)
        return deleted


def sweep(*, now: datetime, batch: Batch, dry_run: bool) -> Iterator[dict[str, int]]:
    """Go through enqueued runs by their result ids, which grow with time."""
    settings = conf.get()
    after = UUID(int=0)
    while True:
        page = retention.find_old_enqueued_runs(
            after=after,
            successes_days=settings.keep_enqueued_successes_days,
            failures_days=settings.keep_enqueued_failures_days,
            limit=_PAGE_ROWS,
            now=now,
        )
        if page.last_id is None:
            return
        yield {"runs_seen": page.seen, "runs": len(page.runs) if dry_run else 0}
        remaining = () if dry_run else page.runs
        while remaining:
            chunk, remaining = remaining[: batch.size], remaining[batch.size :]
            yield {"runs": batch.time(partial(retention.delete_runs, runs=chunk))}
        after = page.last_id
