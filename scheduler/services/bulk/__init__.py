"""
One action on many jobs or runs, a backfill of one job, or an upgrade of a template's instances.

``begin`` stores the selection and the action. ``step`` does a part of it, in transactions of a few rows each, and notes
the progress. A thread of the web process continues until all is done. If that process ends, the next request for the
action continues it, so that each row is changed exactly once.
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
from scheduler.messages import Message, decode, phrase
from scheduler.models import BulkAction
from scheduler.services.bulk import on_backfills, on_jobs, on_runs, on_templates
from scheduler.services.bulk.selection import Refusal, Selection
from scheduler.store import database
from scheduler.store.clock import database_now
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

VIEWED_WITH = {"jobs": "view_job", "runs": "view_run", "backfill": "view_job", "template": "view_job"}
"""The permission to see an action, by its subject."""

MOST_REFUSALS = 50
"""Most refusals that are kept with their reasons. Further ones are counted."""

ABANDONED = timedelta(seconds=10)
"""Time without progress after which an action counts as abandoned."""

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
    Store an action on the rows that are selected now. Rows that match later are left alone.

    :raises InvalidFilter, InvalidRequest: the action was not begun
    """
    of = _SUBJECTS[subject]
    selection = on_runs.settled(selection)
    given = of.checked(action=action, parameters=dict(parameters or {}))
    total, upto = of.measure(selection, given)
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


def refusals(*, row: BulkAction) -> list[dict[str, Any]]:
    """
    Return the refusals that are kept: ``id``, ``name``, ``code``, and ``text`` as a message that can be translated.

    Releases before stored the English text alone, and a code of a newer one is unknown here: then it is plain text.
    """
    return [
        {**{name: each[name] for name in ("id", "name", "code")}, "text": _message(each) or each["text"]}
        for each in row.refusals
    ]


def _message(refusal: dict[str, Any]) -> Message | None:
    stored = refusal.get("message")
    return decode(stored["code"], stored.get("params")) if stored else None


def stop(*, id: int) -> BulkAction:
    """
    Stop after the rows at hand. Rows that were changed stay changed.

    :raises BulkActionNotFound: the id is unknown
    """
    BulkAction.objects.filter(pk=id, finished_at=None, stop_requested_at=None).update(stop_requested_at=database_now())
    return get(id=id)


def step(*, id: int, seconds: float = 1.0, progress: Callable[[BulkAction], None] | None = None) -> BulkAction:
    """
    Continue for about this many seconds and return the action. Another worker of the same action is not disturbed.

    :raises BulkActionNotFound: the id is unknown
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
    """Return the action, and take it over from a process that has ended."""
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
        logger.exception(events.BULK_FAILED, extra={"bulk_action": id})
    finally:
        connections.close_all()


def _chunk(id: int) -> bool:
    """
    Change the next rows, in one transaction with the progress.

    Return false if all are done or another worker has it.
    """
    with database.atomic():
        row: BulkAction | None = BulkAction.objects.select_for_update(skip_locked=True).filter(pk=id).first()
        if row is None or row.finished_at is not None or not _is_known(row):
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


def _is_known(row: BulkAction) -> bool:
    """Return whether this release has the action. Another one is left to processes of the release that began it."""
    return row.subject in _SUBJECTS and row.action in _SUBJECTS[row.subject].ACTIONS


_SUBJECTS: dict[str, Any] = {"jobs": on_jobs, "runs": on_runs, "backfill": on_backfills, "template": on_templates}

__all__ = ["Refusal", "Selection", "begin", "get", "go_on", "refusals", "step", "stop", "work_off"]
