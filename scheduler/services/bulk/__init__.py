"""
One action on many jobs or runs.

``begin`` writes down what was selected and what shall be done; ``step`` does some of it, in transactions of a few rows
each, and notes how far it came. A thread of the web process goes on until all is done. If that process ends, whoever
looks at the action next goes on with it, so that nothing is done twice and nothing is left out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import connections, transaction

from scheduler.core.states import Via
from scheduler.errors import BulkActionNotFound
from scheduler.loops import spawn
from scheduler.messages import phrase
from scheduler.models import BulkAction
from scheduler.services.bulk import on_jobs, on_runs
from scheduler.services.bulk.selection import Refusal, Selection
from scheduler.store import database
from scheduler.store.clock import database_now

logger = logging.getLogger(__name__)

MOST_REFUSALS = 50
"""So many refusals are kept with their reasons; the others are counted."""

ABANDONED = timedelta(seconds=10)
"""Nobody works on an action that was not touched for so long."""

_KEPT = timedelta(days=30)


def begin(
    *,
    subject: str,
    action: str,
    selection: Selection,
    actor: str,
    via: Via | str = Via.CODE,
    parameters: Mapping[str, Any] | None = None,
) -> BulkAction:
    """
    Write down what shall be done to what is selected now; what comes to match later is left alone.

    :raises InvalidFilter, InvalidRequest: nothing was begun
    """
    of = _SUBJECTS[subject]
    given = of.checked(action=action, parameters=dict(parameters or {}))
    total, upto = of.measure(selection)
    now = database_now()
    BulkAction.objects.filter(created_at__lt=now - _KEPT).delete()
    return BulkAction.objects.create(
        subject=subject,
        action=action,
        selection=selection.as_json(),
        parameters=given,
        total=total,
        upto=upto,
        requested_by=actor,
        via=str(via),
        finished_at=None if total else now,
    )


def get(*, id: int) -> BulkAction:
    """:raises BulkActionNotFound: there is none with this id"""
    row: BulkAction | None = BulkAction.objects.filter(pk=id).first()
    if row is None:
        raise BulkActionNotFound(phrase("There is no bulk action with the id {id}.", id=f"{id}"))
    return row


def stop(*, id: int) -> BulkAction:
    """
    Stop after the rows at hand. What was done stays done.

    :raises BulkActionNotFound: nothing was changed
    """
    BulkAction.objects.filter(pk=id, finished_at=None, stop_requested_at=None).update(stop_requested_at=database_now())
    return get(id=id)


def step(*, id: int, seconds: float = 1.0, progress: Callable[[BulkAction], None] | None = None) -> BulkAction:
    """
    Go on for about so long; return how far it has come. Somebody else who works on it just now is not disturbed.

    :raises BulkActionNotFound: there is none with this id
    """
    deadline = time.monotonic() + seconds
    while _chunk(id) and time.monotonic() < deadline:
        if progress is not None:
            progress(get(id=id))
    return get(id=id)


def work_off(*, id: int) -> None:
    """Go on in a thread of this process, once the caller's transaction is committed."""
    work = partial(spawn, _work_off, args=(id,), name="bulk-action")
    transaction.on_commit(work, using=database.tables_alias())


def go_on(*, row: BulkAction) -> BulkAction:
    """Return how far the action is; take over from a process that has ended."""
    last = row.touched_at or row.created_at
    if row.finished_at is None and database_now() - last > ABANDONED:
        work_off(id=row.pk)
        return step(id=row.pk, seconds=0.2)
    return row


def _work_off(id: int) -> None:
    try:
        while _chunk(id):
            pass
    except Exception:  # the thread ends here, and whoever looks at the action goes on with it
        logger.exception("scheduler.bulk.failed", extra={"bulk_action": id})
    finally:
        connections.close_all()


def _chunk(id: int) -> bool:
    """Do the next few, in one transaction with the note of it; false: there is nothing left, or somebody is at it."""
    with database.atomic():
        row: BulkAction | None = BulkAction.objects.select_for_update(skip_locked=True).filter(pk=id).first()
        if row is None or row.finished_at is not None:
            return False
        of = _SUBJECTS[row.subject]
        ids = [] if row.stop_requested_at else of.following(row)
        refusals = of.apply(row, ids) if ids else []
        row.touched_at = database_now()
        row.done += len(ids) - len(refusals)
        row.refused += len(refusals)
        row.refusals += [each.as_json() for each in refusals[: MOST_REFUSALS - len(row.refusals)]]
        row.cursor = str(ids[-1]) if ids else row.cursor
        row.finished_at = None if ids else row.touched_at
        row.save(update_fields=["touched_at", "done", "refused", "refusals", "cursor", "finished_at"])
    return bool(ids)


_SUBJECTS: dict[str, Any] = {"jobs": on_jobs, "runs": on_runs}

__all__ = ["Refusal", "Selection", "begin", "get", "go_on", "step", "stop", "work_off"]
