"""The history of jobs: who changed what, when, through what and why. The database writes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from scheduler.core import error_messages
from scheduler.core.jobs import differences
from scheduler.core.jobs.differences import Difference
from scheduler.core.states import ChangeAction
from scheduler.errors import ChangeNotFound, JobNotFound
from scheduler.models import Change, Job
from scheduler.services import masking
from scheduler.services.queries import paging
from scheduler.services.queries.paging import Order, Page

NEWEST_FIRST = Order(columns=("id",), descending=True)

_MOST_SINCE = 100
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFilter:
    """A selection of changes. Empty criteria are ignored."""

    job: str = ""
    actor: str = ""
    actions: tuple[str, ...] = ()
    via: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


def changes(*, filter: ChangeFilter) -> QuerySet[Change]:
    """Return the changes, newest first, without the definitions, each with the version that its job has now."""
    now = Job.objects.filter(pk=OuterRef("job_key")).values("version")
    found = Change.objects.defer("definition").annotate(version_now=Subquery(now)).order_by("-id")
    if filter.job:
        found = found.filter(job_key=filter.job)
    if filter.actor:
        found = found.filter(actor=filter.actor)
    if filter.actions:
        found = found.filter(action__in=filter.actions)
    if filter.via:
        found = found.filter(via__in=filter.via)
    if filter.since is not None:
        found = found.filter(changed_at__gte=filter.since)
    if filter.until is not None:
        found = found.filter(changed_at__lt=filter.until)
    return found


def page(*, filter: ChangeFilter, limit: int, cursor: str = "") -> Page[Change]:
    """
    Return the newest changes, or those beside the cursor of another page.

    :raises InvalidFilter: the cursor is not one of this list
    """
    return paging.paginate(rows=changes(filter=filter), order=NEWEST_FIRST, limit=limit, cursor=cursor)


def check_known(*, job: str) -> None:
    """:raises JobNotFound: neither the table nor the history has a job with this id"""
    if not Job.objects.filter(pk=job).exists() and not Change.objects.filter(job_key=job).exists():
        raise JobNotFound(error_messages.NO_SUCH_JOB(id=job))


def get(*, id: int) -> Change:
    """:raises ChangeNotFound: there is none with this id"""
    change = Change.objects.filter(pk=id).first() if 0 < id <= _LARGEST_ID else None
    if change is None:
        raise ChangeNotFound(error_messages.NO_SUCH_CHANGE(id=str(id)[:30]))
    return change


def since(*, job: Job, version: int) -> list[Change]:
    """Return what was changed about a job after this version of it, newest first."""
    # A job of this id that was deleted had versions of its own.
    deleted = Change.objects.filter(job_key=job.pk, action=ChangeAction.DELETED).order_by("-id").values("id")[:1]
    found = changes(filter=ChangeFilter(job=job.pk)).filter(version__gt=version)
    return list(found.filter(pk__gt=Coalesce(Subquery(deleted), 0)).exclude(changes={})[:_MOST_SINCE])


def job_version(*, change: Change) -> int | None:
    """Return the present version of the job of a listed change, or ``None`` if it was deleted."""
    found: Any = change
    version: int | None = found.version_now
    return version


def what(*, change: Change) -> tuple[Difference, ...]:
    """Return the differences of a change, with masked secrets."""
    return masked(found=differences.read(change.changes))


def masked(*, found: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """Return the differences with a mask in place of every sealed value: that one changed is seen all the same."""
    return tuple(
        Difference(name=each.name, old=masking.masked(each.old), new=masking.masked(each.new)) for each in found
    )


def brief(*, change: Change) -> str:
    """``cron 0 2 * * * → cron 0 3 * * *``: a change in a few words, or an empty text without values."""
    return differences.brief(what(change=change))
