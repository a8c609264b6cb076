"""Drop the results, logs and tracebacks of old runs in small batches. The rows of the runs stay."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from scheduler.models import Installation
from scheduler.services.enqueued_retention import Batch
from scheduler.store.cleaning import outputs

_PAGE_ROWS = 2000
"""Rows that are looked at together, without a lock."""


def sweep(*, cutoff: datetime, batch: Batch, dry_run: bool) -> Iterator[dict[str, int]]:
    """
    Go through the ledger by id, to the first page that is all new.

    It begins where the sweep before ended: at the first run that had not ended by the cutoff, so that a ledger of many
    months is not read each night.
    """
    after = Installation.objects.values_list("outputs_dropped_to", flat=True).first() or 0
    is_gapless = True
    while True:
        page = outputs.find(after=after, cutoff=cutoff, limit=_PAGE_ROWS)
        if page.last_id is None:
            return
        yield {"outputs": len(page.runs) if dry_run else 0}
        dropped = 0
        remaining = () if dry_run else page.runs
        while remaining:
            chunk, remaining = remaining[: batch.size], remaining[batch.size :]
            dropped += (done := batch.time(partial(outputs.drop, runs=chunk)))
            yield {"outputs": done}
        # Runs that somebody had locked are looked at again by the next sweep.
        is_gapless = is_gapless and dropped == len(page.runs)
        if is_gapless and not dry_run:
            is_gapless = page.first_kept is None
            reached = page.last_id if page.first_kept is None else page.first_kept - 1
            Installation.objects.update(outputs_dropped_to=reached)
        if not page.holds_old_rows:
            return
        after = page.last_id
