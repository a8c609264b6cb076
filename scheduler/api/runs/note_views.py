"""Notes on runs, and who works on a failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from scheduler.api import answers, parsing, shapes
from scheduler.api.idempotency import once
from scheduler.api.runs.shapes import RunNoteText, Taking
from scheduler.api.runs.views import get_run
from scheduler.api.schema import operation
from scheduler.api.view import Resource
from scheduler.core.states import Via
from scheduler.models import RunNote
from scheduler.services.queries import representations
from scheduler.services.runs import notes as run_notes

_WRITE = ("view_run", "note_run")


class NoteViews(Resource):
    permissions: ClassVar = {"notes": ("view_run",), "add_note": _WRITE, "take": _WRITE, "release": _WRITE}

    @operation(answers.RunNotes, query=shapes.Nothing, problems=(404,))
    def notes(self, request: Request, id: str) -> Response:
        """List the newest 100 notes on a run, the newest first."""
        parsing.query(request, shapes.Nothing)
        return Response({"results": [representations.note(row=row) for row in run_notes.of(run=get_run(id)).notes]})

    @operation(
        answers.RunNote,
        status=201,
        body=RunNoteText,
        query=shapes.Nothing,
        problems=(404,),
        headers=("Idempotency-Key",),
    )
    def add_note(self, request: Request, id: str) -> Response:
        """Write a note on a run. It is visible to all who may see the run."""
        return self._write(request, id, RunNoteText, run_notes.add)

    @operation(
        answers.RunNote,
        status=201,
        body=Taking,
        query=shapes.Nothing,
        problems=(404, 409),
        headers=("Idempotency-Key",),
    )
    def take(self, request: Request, id: str) -> Response:
        """Say that you work on the failure, in place of whoever did. A later success of the job ends it."""
        return self._write(request, id, Taking, run_notes.take)

    @operation(
        answers.RunNote,
        status=201,
        body=Taking,
        query=shapes.Nothing,
        problems=(404, 409),
        headers=("Idempotency-Key",),
    )
    def release(self, request: Request, id: str) -> Response:
        """Say that the person who took the failure on does not work on it any more."""
        return self._write(request, id, Taking, run_notes.release)

    def _write(
        self,
        request: Request,
        id: str,
        shape: type[Taking] | type[RunNoteText],
        write: Callable[..., RunNote],
    ) -> Response:
        parsing.query(request, shapes.Nothing)
        body: Any = parsing.body(request, shape)

        def do() -> Response:
            row = write(run=get_run(id), text=body.text, actor=self.actor(request), via=Via.API)
            return Response(representations.note(row=row), status=201)

        return once(request, do)
