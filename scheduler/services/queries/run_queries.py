"""Finding runs: the same filters for the admin, the API and the command line. The ledger is never counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from scheduler.core import error_messages, fingerprints
from scheduler.core.queues import tracks
from scheduler.core.reasons import RUN_REASONS
from scheduler.core.states import ACTIVE_STATES, FINISHED_STATES, RunKind, RunState
from scheduler.errors import InvalidFilter
from scheduler.models import Job, Node, Run
from scheduler.models.run import HAS_A_REASON, SECONDS_TAKEN
from scheduler.services.queries import job_queries, paging
from scheduler.services.queries.job_queries import JobFilter
from scheduler.services.queries.paging import Order, Page
from scheduler.services.queries.text_search import TextSearch
from scheduler.store.measuring import windows

UNSUCCESSFUL = (RunState.FAILED, RunState.TIMED_OUT, RunState.INTERRUPTED)
"""States of runs that have an error, and so are in the index of those."""

REASONED = (RunState.MISSED, RunState.SKIPPED, RunState.CANCELLED)
"""States of runs that always say why, and so are in the index of those that do."""

NEWEST_FIRST = Order(columns=("id",), descending=True)
NEWEST_FIRST_OF_JOB = Order(columns=("scheduled_at", "attempt", "id"), descending=True)
"""The columns in the index of a job's runs."""

LAST_FAILED_FIRST = Order(columns=("finished_at", "id"), descending=True)
"""The states in the index of unsuccessful runs."""

MOST_EXPORTED = 10_000
MOST_NAMED = 1_000
"""A text that so many jobs match is looked for in the ledger itself."""

MOST_COMPARED = 5_000
"""The slowest are looked for among so many: an index by duration would cost every run to serve a rare question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """A selection of runs. Empty criteria are ignored."""

    job: str = ""
    name: str = ""
    """Part of the name, the id or the task of its job."""

    task: str = ""
    queue: str = ""
    executor: str = ""
    tag: str = ""
    """A tag that its job has now."""

    states: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    node: str = ""
    error: str = ""
    """Part of the error's text."""

    like: str = ""
    """The fingerprint of the error, as ``core.fingerprints`` writes it."""

    argument: str = ""
    """Part of an argument, or ``name=value``. It is searched as ``text_search`` says."""

    log: str = ""
    """Part of the log, which is searched in the same way."""

    reasons: tuple[str, ...] = ()
    """Codes of ``scheduler.core.reasons``."""

    since: datetime | None = None
    until: datetime | None = None
    """The window in which the run was entered in the ledger: from the one, before the other."""

    @property
    def texts(self) -> TextSearch:
        """The search in texts that need the permission to view the output of runs."""
        return TextSearch(argument=self.argument, log=self.log)


def page(*, filter: RunFilter, limit: int, cursor: str = "") -> Page[Run]:
    """
    Return the newest runs, or those beside the cursor of another page: without their output, in an order of an index.

    Where texts are searched, a page may have fewer runs than the limit although there are further ones.

    :raises InvalidFilter: the cursor is not one of this list
    """
    rows, order = _find(filter)
    search = filter.texts.within if filter.texts else None
    return paging.paginate(rows=rows, order=order, limit=limit, cursor=cursor, search=search)


def known_reasons(codes: Iterable[str]) -> tuple[str, ...]:
    """
    Return the codes of reasons to filter by.

    :raises InvalidFilter: one is not the code of a reason of runs
    """
    codes = tuple(codes)
    for code in codes:
        if code not in RUN_REASONS:
            message = error_messages.UNKNOWN_REASON(code=code[:64], codes=", ".join(RUN_REASONS))
            raise InvalidFilter(message, parameter="reason_code")
    return codes


def slowest(*, filter: RunFilter, limit: int) -> list[Run]:
    """Return the runs whose bodies took longest, among the newest that have ended."""
    rows = runs(filter=filter)
    newest = rows.filter(started_at__isnull=False, finished_at__isnull=False).values("pk")[:MOST_COMPARED]
    found = Run.objects.without_output().filter(pk__in=newest)
    return list(found.order_by(SECONDS_TAKEN.desc(), "-pk")[:limit])


def runs(*, filter: RunFilter) -> QuerySet[Run]:
    """Return the runs without their output, the newest first. Texts are searched in the first of them only."""
    rows, order = _find(filter)
    rows = rows.order_by(*_columns(order))
    return filter.texts.within(rows)[0] if filter.texts else rows


def _columns(order: Order) -> list[str]:
    return [f"-{column}" if order.descending else column for column in order.columns]


def _find(filter: RunFilter) -> tuple[QuerySet[Run], Order]:
    """Return the runs in a form that the indexes of the ledger can serve, and the order that they have."""
    found = _in_states(Run.objects.without_output().order_by(), set(filter.states))
    order = NEWEST_FIRST
    if filter.states and set(filter.states) <= set(UNSUCCESSFUL):
        order = LAST_FAILED_FIRST
    if filter.error:
        found = found.filter(error__icontains=filter.error, error__isnull=False)
        order = LAST_FAILED_FIRST
    if filter.like:
        found = found.filter(error__iregex=fingerprints.pattern(filter.like), error__isnull=False)
        order = LAST_FAILED_FIRST
    if filter.job:
        found, order = _of_job(found, filter.job, order)
    if filter.kinds:
        found = found.filter(kind__in=filter.kinds)
        if RunKind.SCHEDULED not in filter.kinds:
            # Implied by the kinds: with it, the partial index can be used.
            found = found.exclude(kind=RunKind.SCHEDULED)
    if filter.name:
        named = job_queries.jobs(filter=JobFilter(text=filter.name))
        found = _of_jobs(found, named, name=filter.name)
    if filter.tag:
        found = found.filter(job__in=job_queries.jobs(filter=JobFilter(tags=(filter.tag,))).values("pk"))
    if filter.executor:
        tracked = f"{filter.executor}{tracks.SEPARATOR}"
        found = found.filter(Q(executor=filter.executor) | Q(executor__startswith=tracked))
    if filter.queue:
        found = found.filter(queue=filter.queue)
        if filter.queue != tracks.DEFAULT_QUEUE:
            # The index of other queues asks for it.
            found = found.exclude(queue=tracks.DEFAULT_QUEUE)
    if filter.reasons:
        found = found.filter(reason_code__in=filter.reasons).exclude(reason_code="")
    same = {name: value for name in ("task", "node") if (value := getattr(filter, name))}
    return _within(found.filter(**same), filter, by_id=order is NEWEST_FIRST), order


def _of_job(found: QuerySet[Run], job: str, order: Order) -> tuple[QuerySet[Run], Order]:
    """One index has the runs of jobs that exist, another one those that have only the id of a deleted job."""
    if Job.objects.filter(pk=job).exists():
        return found.filter(job_id=job), NEWEST_FIRST_OF_JOB
    if Run.objects.filter(job_id=job).exists():  # it was deleted, and some of its runs are not detached yet
        return found.filter(job_key=job), order
    return found.filter(job_key=job, job__isnull=True, attempt__gte=1), NEWEST_FIRST_OF_JOB


def _in_states(found: QuerySet[Run], states: set[str]) -> QuerySet[Run]:
    """Return the runs in these states, with the conditions that the states imply: partial indexes ask for them."""
    if not states:
        return found
    found = found.filter(state__in=states)
    if states <= set(ACTIVE_STATES):
        return found.filter(finished_at__isnull=True)
    if states <= set(UNSUCCESSFUL):
        return found.filter(error__isnull=False)
    if states <= set(REASONED):
        return found.filter(finished_at__isnull=False).filter(HAS_A_REASON)
    return found.filter(finished_at__isnull=False) if states <= set(FINISHED_STATES) else found


def _of_jobs(found: QuerySet[Run], jobs: QuerySet[Job], *, name: str) -> QuerySet[Run]:
    """Keep the runs of these jobs, and those of deleted jobs with exactly this name or id."""
    ids = list(jobs.values_list("pk", flat=True)[:MOST_NAMED])
    if len(ids) == MOST_NAMED:
        return found.filter(job_name__icontains=name)
    return found.filter(Q(job__in=ids) | Q(job__isnull=True, job_name=name) | Q(job__isnull=True, job_key=name))


def _within(found: QuerySet[Run], filter: RunFilter, *, by_id: bool) -> QuerySet[Run]:
    """Keep those of the window. Read by id, the ledger would otherwise be read back from its end to the window's."""
    if by_id:
        low, high = windows.ids(since=filter.since, until=filter.until)
        if low is not None:
            found = found.filter(pk__gte=low)
        if high is not None:
            found = found.filter(pk__lt=high)
    if filter.since is not None:
        found = found.filter(created_at__gte=filter.since)
    if filter.until is not None:
        found = found.filter(created_at__lt=filter.until)
    return found


def export(*, filter: RunFilter) -> Iterator[Run]:
    """Yield the newest runs, in pieces."""
    yield from runs(filter=filter)[:MOST_EXPORTED].iterator(chunk_size=500)


def export_of(*, ids: Sequence[int]) -> Iterator[Run]:
    """Yield these runs, the newest first, in pieces."""
    yield from Run.objects.without_output().filter(pk__in=ids).order_by("-pk")[:MOST_EXPORTED].iterator(chunk_size=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSeen:
    """The known facts about the node of a run."""

    name: str
    version: str
    state: str
    heartbeat_at: datetime
    drained_at: datetime | None


def nodes(*, runs: Iterable[Run]) -> dict[str, NodeSeen]:
    """Return the nodes of the runs by id, as far as they were not cleaned up."""
    ids = {run.node for run in runs if run.node is not None}
    if not ids:
        return {}
    rows = Node.objects.filter(pk__in=ids).only("name", "version", "state", "heartbeat_at", "drained_at").order_by()
    return {
        str(row.pk): NodeSeen(
            name=row.name,
            version=row.version,
            state=row.state,
            heartbeat_at=row.heartbeat_at,
            drained_at=row.drained_at,
        )
        for row in rows
    }


def node_names(*, runs: Sequence[Run], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the names of the runs' nodes by id, as far as they are known."""
    names = dict(known or {})
    ids = {run.node for run in runs if run.node is not None and str(run.node) not in names}
    if ids:
        names |= {str(pk): name for pk, name in Node.objects.filter(pk__in=ids).order_by().values_list("pk", "name")}
    return names


def attempts(*, run: Run) -> list[Run]:
    """Return all attempts of the run's fire time, or of its result. For a deleted job, only the run itself."""
    if run.public_id is not None:
        return list(Run.objects.without_output().filter(public_id=run.public_id).order_by("attempt")[:100])
    if run.job_id is None:
        return [run]
    found = Run.objects.without_output().filter(job_id=run.job_id, scheduled_at=run.scheduled_at)
    return list(found.order_by("attempt")[:100])


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    previous: Run | None = None
    next: Run | None = None
    last_success: Run | None = None
    """The newest one before, among the 200 before."""


def with_arguments(*, run: Run) -> Run:
    """Return the run with what it was given: for one that was found without its output."""
    return Run.objects.only("pk", "args", "kwargs", "task", "kind", "executor", "timeout", "node").get(pk=run.pk)


def neighbours(*, run: Run) -> Neighbours:
    """Return the runs of the job's fire times around this one."""
    if run.job_id is None:
        return Neighbours()
    own = Run.objects.without_output().filter(job_id=run.job_id)
    earlier = own.filter(scheduled_at__lt=run.scheduled_at).order_by("-scheduled_at", "-attempt")[:200]
    later = own.filter(scheduled_at__gt=run.scheduled_at).order_by("scheduled_at", "attempt")[:1]
    rows = sorted(earlier.union(later, all=True), key=lambda row: (row.scheduled_at, row.attempt), reverse=True)
    before = [row for row in rows if row.scheduled_at < run.scheduled_at]
    after = rows[0] if len(rows) > len(before) else None
    succeeded = (other for other in before if other.state == RunState.SUCCEEDED)
    return Neighbours(previous=before[0] if before else None, next=after, last_success=next(succeeded, None))
