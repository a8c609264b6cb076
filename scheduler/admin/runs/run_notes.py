"""Notes on a run, and who works on its failure: what the pages show, and the questions before writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin import addresses, pages
from scheduler.admin.format import display
from scheduler.admin.pages import Done, Question
from scheduler.core.states import NoteKind, Via
from scheduler.models import Run, RunNote
from scheduler.services.runs import notes
from scheduler.services.runs.notes import Noted, Taken
from scheduler.services.sites import reverse

PERMISSION = "scheduler.note_run"

_WHAT = {
    NoteKind.NOTE: gettext_lazy("Note"),
    NoteKind.TAKEN: gettext_lazy("I am on it"),
    NoteKind.RELEASED: gettext_lazy("Released"),
}


class Text(forms.Form):
    """The text of a note."""

    text = forms.CharField(
        label=gettext_lazy("Note"),
        widget=forms.Textarea(attrs={"rows": 4, "cols": 60}),
        max_length=notes.LONGEST,
        help_text=gettext_lazy("Everyone who can see the run sees it."),
    )


class Remark(Text):
    """The text beside taking on or releasing a failure. It may be left out."""

    text = forms.CharField(
        label=gettext_lazy("Note"),
        widget=forms.Textarea(attrs={"rows": 4, "cols": 60}),
        max_length=notes.LONGEST,
        required=False,
        help_text=gettext_lazy("Optional. Everyone who can see the run sees it."),
    )


def context(request: HttpRequest, run: Run) -> dict[str, Any]:
    """Return what the page of a run shows: its notes, who works on the failure, and what this person may write."""
    story = notes.of(run=run)
    here = story.here
    taken = here or (story.of_job if run.error else None)
    may_write = request.user.has_perm(PERMISSION)
    is_mine = here is not None and here.by == pages.actor(request)
    return {
        "notes": [_row(note) for note in story.notes],
        "taken": shown(taken),
        "note_links": {
            "note": _address("note", run) if may_write else "",
            "take": _address("take", run) if may_write and run.error and not is_mine else "",
            "release": _address("release", run) if may_write and here is not None else "",
        },
    }


def shown(taken: Taken | None) -> dict[str, Any] | None:
    """Return who works on a failure, since when, and where it was said."""
    if taken is None:
        return None
    return {"who": display.first_line(taken.by, most=80) or "?", "at": taken.at, "address": addresses.run(taken.run)}


def in_list(noted: Mapping[int, Noted], run: int) -> dict[str, Any]:
    """Return what a row of a list shows."""
    found = noted.get(run, Noted())
    by = display.first_line(found.taken.by, most=40) if found.taken is not None else ""
    return {"taken_by": by, "notes": found.notes}


def ask(request: HttpRequest, run: Run, kind: NoteKind) -> HttpResponse:
    """Ask for the text, and write it."""
    form_class = Text if kind is NoteKind.NOTE else Remark
    is_answer = "confirmed" in request.POST
    form = form_class(request.POST if is_answer else None)
    problem = "" if not is_answer or form.is_valid() else _("Correct the note.")
    write = _WRITES[kind]

    def act() -> Done:
        text = display.plain(form.cleaned_data["text"])
        write(run=run, text=text, actor=pages.actor(request), via=Via.ADMIN)
        return Done(sentence=str(_DONE[kind]), location=addresses.run(run.pk))

    question = Question(
        title=_QUESTIONS[kind] % {"id": run.pk, "job": display.first_line(run.job_name)},
        effects=[str(effect) for effect in _EFFECTS[kind]],
        button=str(_BUTTONS[kind]),
        back=addresses.run(run.pk),
        form=form,
    )
    return pages.confirm(request, question=question, act=act, problem=problem)


_WRITES: dict[NoteKind, Callable[..., RunNote]] = {
    NoteKind.NOTE: notes.add,
    NoteKind.TAKEN: notes.take,
    NoteKind.RELEASED: notes.release,
}
_QUESTIONS = {
    NoteKind.NOTE: gettext_lazy("Write a note on run #%(id)d of “%(job)s”"),
    NoteKind.TAKEN: gettext_lazy("Take on the failure of run #%(id)d of “%(job)s”?"),
    NoteKind.RELEASED: gettext_lazy("Release the failure of run #%(id)d of “%(job)s”?"),
}
_BUTTONS = {
    NoteKind.NOTE: gettext_lazy("Save the note"),
    NoteKind.TAKEN: gettext_lazy("I am on it"),
    NoteKind.RELEASED: gettext_lazy("Release it"),
}
_DONE = {
    NoteKind.NOTE: gettext_lazy("The note is saved."),
    NoteKind.TAKEN: gettext_lazy("Others see that you are on it."),
    NoteKind.RELEASED: gettext_lazy("The failure is released."),
}
_EFFECTS = {
    NoteKind.NOTE: (gettext_lazy("Notes are kept as they are. They are deleted together with their run."),),
    NoteKind.TAKEN: (
        gettext_lazy("Others see it on the dashboard, in the lists and on further failures of this job."),
        gettext_lazy("It ends when a later run succeeds, or when somebody releases it."),
    ),
    NoteKind.RELEASED: (gettext_lazy("Others see that help is needed again."),),
}


def _row(note: RunNote) -> dict[str, Any]:
    return {
        "what": _WHAT.get(NoteKind(note.kind), note.kind),
        "who": display.first_line(note.author, most=80) or note.via,
        "at": note.created_at,
        "text": note.text,
    }


def _address(name: str, run: Run) -> str:
    return reverse(f"admin:scheduler_run_{name}", args=[run.pk])
