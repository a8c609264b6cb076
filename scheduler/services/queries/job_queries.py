"""Finding jobs: the same filters for the API and the command line."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import and_

from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Collate

from scheduler.core import error_messages
from scheduler.core.queues import tracks
from scheduler.core.states import JobState, NodeKind, NodeState
from scheduler.core.tasks.registry import NODE_EXECUTORS, registry
from scheduler.errors import UnknownExecutor
from scheduler.models import Declaration, Job, Node, Run
from scheduler.remote import executors as executors_elsewhere
from scheduler.store import database

_SPECIAL = re.compile(r"[\\%_]")
_ESCAPED = r"\\\g<0>"
"""Letters with a meaning in patterns stand for themselves behind a backslash."""

_KINDS = ("task", "executor", "tag")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Empty criteria are ignored."""

    ids: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    executors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """All of them."""

    sources: tuple[str, ...] = ()
    last_outcomes: tuple[str, ...] = ()
    """States of the newest run."""

    failing: bool = False
    """Those with failures in a row."""

    drift: bool = False
    """Declared jobs and instances that a person changed."""

    undeclared: bool = False
    """Paused because their source no longer declares them, and left alone since."""

    text: str = ""
    """Part of the name, the id or the task."""


def jobs(*, filter: JobFilter) -> QuerySet[Job]:
    """Return the jobs without the columns that only django-apscheduler reads, in no order."""
    found = Job.objects.defer("job_state").order_by()
    for column, values in (
        ("pk", filter.ids),
        ("state", filter.states),
        ("task", filter.tasks),
        ("executor", filter.executors),
        ("source", filter.sources),
    ):
        if values:
            found = found.filter(**{f"{column}__in": values})
    if filter.tags:
        found = found.filter(tags__contains=list(filter.tags))
    if filter.failing:
        found = found.filter(consecutive_failures__gt=0)
    if filter.drift:
        from scheduler.services.declarations import drifting

        found = found.filter(pk__in=drifting.drifted_jobs())
    if filter.undeclared:
        dropped = Declaration.objects.filter(job_key=OuterRef("pk"), paused_at=OuterRef("state_changed_at"))
        found = found.filter(Exists(dropped.filter(is_declared=False)), state=JobState.PAUSED)
    if filter.text:
        found = found.filter(search(texts=[filter.text]))
    if filter.last_outcomes:
        newest = Subquery(_newest_first().values("state")[:1])
        found = found.alias(last_outcome=newest).filter(last_outcome__in=filter.last_outcomes)
    return found


def containing(*, text: str, among: Iterable[str]) -> Q:
    """
    Return the criterion that the name, the id or the task of a job contains this text, in any case.

    ``among``: the tasks of all jobs. Those that contain the text are few.
    """
    folded = text.casefold()
    return _matches(text) | Q(task__in=[known for known in among if folded in known.casefold()])


def search(*, texts: Iterable[str], among: Iterable[str] | None = None) -> Q:
    """
    Return the criterion that jobs contain each of these texts. A few jobs are looked up at once, and named by it.

    ``among``: the tasks of all jobs, if they are known. Texts that no task contains come first: an index of names and
    ids answers them, and other criteria would have the table read.
    """
    among = tasks() if among is None else list(among)
    criteria = {text: containing(text=text, among=among) for text in sorted(texts, key=_cost)}
    elsewhere = [text for text in criteria if not any(text.casefold() in task.casefold() for task in among)]
    if not elsewhere:
        return _all(criteria.values())
    ids = list(Job.objects.order_by().filter(_all(map(criteria.pop, elsewhere))).values_list("pk", flat=True)[:_FEW])
    if len(ids) < _FEW:
        return Q(pk__in=ids) & _all(criteria.values())
    return _all(containing(text=text, among=among) for text in (*elsewhere, *criteria))


_FEW = 1001
"""Fewer jobs than this are named by their ids."""


def _all(criteria: Iterable[Q]) -> Q:
    return reduce(and_, criteria, Q())


def _cost(text: str) -> tuple[bool, int]:
    """Order texts by what the database compares quickly, and then by what few jobs may have."""
    return not _is_caseless(text), -len(text)


def _is_caseless(text: str) -> bool:
    """Return whether a text is the same in any case, as numbers are."""
    return text.isascii() and text.lower() == text.upper()


def _matches(text: str) -> Q:
    """Return the criterion that the name or the id contains a text. Both together are compared in half the time."""
    # In PostgreSQL, folding the case of all letters of a language takes ten times as long as that of a to z, and that
    # takes three times as long as comparing what has no case.
    pattern = Value(f"%{_SPECIAL.sub(_ESCAPED, text)}%")
    both = _NameAndId(F("name"), F("djangojob_ptr"))
    compared = Collate(both, "C") if text.isascii() else both
    return Q(_Like(compared, pattern) if _is_caseless(text) else _Matches(compared, pattern))


class _NameAndId(Func):
    """A text of the name and the id. The character between them is part of neither."""

    template = "(%(expressions)s)"
    arg_joiner = r" || E'\x1f' || "
    output_field = TextField()


class _Like(Func):
    """Whether a text is like a pattern."""

    template = "%(expressions)s"
    arg_joiner = " LIKE "
    output_field = BooleanField()


class _Matches(_Like):
    """Whether a text is like a pattern, in any case."""

    arg_joiner = " ILIKE "


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The distinct values that jobs have, in order."""

    tasks: list[str]
    executors: list[str]
    tags: list[str]


def values() -> Values:
    """
    Return the tasks, executors and tags of all jobs: of very many jobs, those that this process found a minute ago.

    Tags are read from every job.
    """
    global _known
    if _known is not None and time.monotonic() - _known[0] < _KEPT_SECONDS:
        return _known[1]
    rows = database.Statements().execute("values_of_jobs", many=_MANY)
    found = Values(**{f"{kind}s": sorted(value for of, value in rows if of == kind) for kind in _KINDS})
    _known = (time.monotonic(), found) if ("many", "yes") in rows else None
    return found


_MANY = 10_000
_KEPT_SECONDS = 60.0
_known: tuple[float, Values] | None = None


def tasks() -> list[str]:
    """Return the tasks that jobs have, each once."""
    return [str(task) for (task,) in database.Statements().execute("tasks_of_jobs")]


def tags() -> list[str]:
    """Return the tags that jobs have, each once."""
    return values().tags


def with_last_run_at(*, jobs: QuerySet[Job]) -> QuerySet[Job]:
    """Add ``last_run_at``, the fire time of the newest run, or ``None``."""
    found: QuerySet[Job] = jobs.annotate(last_run_at=Subquery(_newest_first().values("scheduled_at")[:1]))
    return found


def last_runs(*, jobs: Iterable[str]) -> dict[str, Run]:
    """Return the newest run of each of these jobs, by the job's id: one look into the index for each, one query."""
    newest = Job.objects.filter(pk__in=list(jobs)).order_by().values(found=Subquery(_newest_first().values("pk")[:1]))
    rows = Run.objects.without_output().filter(pk__in=newest).order_by()
    return {run.job_id: run for run in rows if run.job_id is not None}


def executors() -> set[str]:
    """Return the names of the executors that a node has, a worker serves, or a task declares."""
    known = {*NODE_EXECUTORS, *(task.executor for task in registry.all())}
    running = Node.objects.filter(state=NodeState.RUNNING).values_list("kind", "executors", "queues")
    for kind, those, queues in running:
        known |= set(those) if kind == NodeKind.NODE else {tracks.remote(kind, queue) for queue in queues}
    return known


def check_executor(*, executor: str) -> None:
    """
    Reject an executor that no node has and no task declares, and a remote one that cannot be used here.

    :raises UnknownExecutor: naming those that exist, or the cure
    """
    if executor in NODE_EXECUTORS:
        return
    if tracks.is_remote(executor):
        executors_elsewhere.check(executor)
        return
    if executor not in (known := executors()):
        raise UnknownExecutor(error_messages.NO_SUCH_EXECUTOR(name=executor, names=", ".join(sorted(known))))


def _newest_first() -> QuerySet[Run]:
    return Run.objects.filter(job=OuterRef("pk")).order_by("-scheduled_at", "-attempt")
