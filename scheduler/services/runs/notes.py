"""Notes of people on runs, and who works on a failure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When
from django.db.models.functions import Now

from scheduler.core import error_messages
from scheduler.core.states import NoteKind, RunState, Via
from scheduler.errors import InvalidNote, NoteAlreadyHolds, RunNotFound
from scheduler.models import Run, RunNote
from scheduler.store import database
from scheduler.store.clock import database_now

LONGEST = 2000
MOST_SHOWN = 100

_REMEMBERED = timedelta(days=30)
"""A failure that somebody took on before is looked at anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A failure that somebody works on."""

    run: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """The part of the notes on a run that a list shows."""

    notes: int = 0
    taken: Taken | None = None


def add(*, run: Run | int, text: str, actor: str, via: Via | str = Via.CODE) -> RunNote:
    """
    Write a note on a run.

    :raises InvalidNote: the text is empty or too long
    :raises RunNotFound: the run does not exist
    """
    if not text.strip():
        raise InvalidNote(error_messages.NOTE_IS_EMPTY())
    return _write(run, kind=NoteKind.NOTE, text=text, actor=actor, via=via)


def take(*, run: Run | int, actor: str, text: str = "", via: Via | str = Via.CODE) -> RunNote:
    """
    Say that the actor works on the failure from now on, in place of whoever did.

    It holds for later failures of the job as well, until the actor or somebody else releases it, or a run succeeds.

    :raises NoteAlreadyHolds: the actor has taken it on already
    :raises InvalidNote: the text is too long
    :raises RunNotFound: the run does not exist
    """
    return _write(run, kind=NoteKind.TAKEN, text=text, actor=actor, via=via)


def release(*, run: Run | int, actor: str, text: str = "", via: Via | str = Via.CODE) -> RunNote:
    """
    Say that the person who took the run on does not work on it any more.

    :raises NoteAlreadyHolds: it is not taken on
    :raises InvalidNote: the text is too long
    :raises RunNotFound: the run does not exist
    """
    return _write(run, kind=NoteKind.RELEASED, text=text, actor=actor, via=via)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything that people said about one run."""

    notes: list[RunNote]
    """The newest first."""

    here: Taken | None
    """The person who took this run on."""

    of_job: Taken | None
    """The person who works on the present failures of its job, by a note on any of its runs."""


def of(*, run: Run) -> Story:
    """Return what people said about a run: one query."""
    wanted = Q(run_id=run.pk)
    if run.job_key:
        wanted |= Q(job_key=run.job_key) & ~Q(kind=NoteKind.NOTE)
    rows = _with_end(RunNote.objects.filter(wanted))
    found = list(rows.order_by("-pk")[: 2 * MOST_SHOWN])
    facts = [note for note in found if note.kind != NoteKind.NOTE]
    of_job = next(iter(facts), None)
    return Story(
        notes=[note for note in found if note.run_id == run.pk][:MOST_SHOWN],
        here=_taken(next((note for note in facts if note.run_id == run.pk), None)),
        of_job=None if of_job is None or of_job.is_over else _taken(of_job),
    )


def of_runs(*, runs: Collection[int]) -> dict[int, Noted]:
    """Return what a list shows, for those of the runs that have notes: one query."""
    if not runs:
        return {}
    found = RunNote.objects.filter(run_id__in=runs).order_by("run_id", "-pk")
    newest: dict[int, RunNote] = {}
    numbers: dict[int, int] = {}
    for note in found:
        if note.kind == NoteKind.NOTE:
            numbers[note.run_id] = numbers.get(note.run_id, 0) + 1
        else:
            newest.setdefault(note.run_id, note)
    return {run: Noted(notes=numbers.get(run, 0), taken=_taken(newest.get(run))) for run in {*numbers, *newest}}


def of_jobs(*, jobs: Iterable[str]) -> dict[str, Taken]:
    """Return who works on the present failures of these jobs: one query. A success since then ends it."""
    ids = list(jobs)
    if not ids:
        return {}
    newest = (
        _with_end(RunNote.objects.filter(job_key__in=ids))
        .exclude(kind=NoteKind.NOTE)
        .order_by("job_key", "-pk")
        .distinct("job_key")
    )
    return {note.job_key: taken for note in newest if not note.is_over and (taken := _taken(note)) is not None}


def _with_end(notes: QuerySet[RunNote]) -> QuerySet[RunNote, Any]:
    """Add ``is_over``: a run of the job has succeeded since, or it was said long ago."""
    succeeded = Run.objects.filter(
        job=OuterRef("job_key"), state=RunState.SUCCEEDED, scheduled_at__gt=OuterRef("run__scheduled_at")
    )
    is_old = Q(created_at__lt=Now() - _REMEMBERED)
    found: QuerySet[RunNote, Any] = notes.annotate(is_over=Case(When(is_old, then=True), default=Exists(succeeded)))
    return found


def _taken(note: Any) -> Taken | None:
    if note is None or note.kind != NoteKind.TAKEN:
        return None
    return Taken(run=note.run_id, by=note.author, at=note.created_at)


def _write(run: Run | int, *, kind: NoteKind, text: str, actor: str, via: Via | str) -> RunNote:
    text = text.strip()
    if len(text) > LONGEST:
        raise InvalidNote(error_messages.NOTE_IS_TOO_LONG(most=LONGEST))
    id = run if isinstance(run, int) else run.pk
    with database.atomic():
        # Two people who take it on at the same moment come one after the other.
        stored = Run.objects.select_for_update(no_key=True).only("pk", "job_key").filter(pk=id).first()
        if stored is None:
            raise RunNotFound(error_messages.NO_SUCH_RUN(id=f"{id}"))
        if kind is not NoteKind.NOTE:
            _refuse_repetition(stored, kind=kind, actor=actor)
        return RunNote.objects.create(
            run=stored,
            job_key=stored.job_key,
            kind=kind,
            text=text,
            author=actor[:150],
            via=str(via),
            created_at=database_now(),
        )


def _refuse_repetition(run: Run, *, kind: NoteKind, actor: str) -> None:
    """:raises NoteAlreadyHolds: the note would change no fact"""
    newest = RunNote.objects.filter(run_id=run.pk).exclude(kind=NoteKind.NOTE).order_by("-pk").first()
    taken = _taken(newest)
    if kind is NoteKind.TAKEN and taken is not None and taken.by == actor[:150]:
        raise NoteAlreadyHolds(error_messages.RUN_IS_TAKEN(id=f"{run.pk}", who=taken.by))
    if kind is NoteKind.RELEASED and taken is None:
        raise NoteAlreadyHolds(error_messages.RUN_IS_NOT_TAKEN(id=f"{run.pk}"))
