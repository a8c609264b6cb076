"""The question before a backfill: the window, what it would queue, and the background action that queues it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scheduler.admin import addresses, pages
from scheduler.admin.bulk import bulk_admin
from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.admin.pages import Done, Question
from scheduler.core.states import Via
from scheduler.errors import SchedulerError
from scheduler.models import Job
from scheduler.services import bulk, runs
from scheduler.services.bulk import Selection, on_backfills

_WRITTEN = "%Y-%m-%dT%H:%M"


class Window(forms.Form):
    since = forms.DateTimeField(
        label=gettext_lazy("From"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_WRITTEN)
    )
    until = forms.DateTimeField(
        label=gettext_lazy("To"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_WRITTEN)
    )


def ask(request: HttpRequest, job: Job) -> HttpResponse:
    """Request the window, preview what it would queue, and begin when it is confirmed."""
    now = timezone.now()
    is_answer = "since" in request.POST
    form = Window(request.POST if is_answer else None, initial={"since": now - timedelta(days=1), "until": now})
    preview, problem = _preview(job, form) if is_answer else ([], "")

    def act() -> Done:
        row = bulk.begin(
            subject="backfill",
            action="queue",
            selection=Selection(ids=(job.pk,)),
            parameters={name: value.isoformat() for name, value in form.cleaned_data.items()},
            actor=pages.actor(request),
            via=Via.ADMIN,
        )
        bulk.work_off(id=row.pk)
        return Done(sentence="", location=bulk_admin.address(row.pk))

    question = Question(
        title=_("Backfill “%s”?") % display.first_line(job.name),
        effects=[
            _("Past scheduled times without a run are queued, oldest first, at low priority."),
            _("The progress page offers to cancel those that have not started."),
            str(display.zone_line()),
        ],
        button=_("Queue them"),
        back=addresses.job(job.pk),
        form=form,
        preview=preview,
        is_previewed=bool(preview),
    )
    return pages.confirm(request, question=question, act=act, problem=problem)


def _preview(job: Job, form: Window) -> tuple[list[dict[str, str]], str]:
    """Return what the window would queue, and the problem if it cannot be used."""
    if not form.is_valid():
        return [], _("Correct the window.")
    try:
        return [{"name": job.name, "text": _counted(job, form.cleaned_data)}], ""
    except SchedulerError as error:
        return [], told(error)


_MOST_COMPARED = 10_000
"""More fire times are not looked up one by one for a preview."""


def _counted(job: Job, window: dict[str, Any]) -> str:
    now = timezone.now()
    count = runs.count_fire_times(job=job, **window, limit=on_backfills.MOST, now=now)
    if count > _MOST_COMPARED:
        text = _("Of %(all)s scheduled times, those without a run would be queued.")
        return text % {"all": display.number(count)}
    found = runs.fire_times_of(job=job, **window, limit=_MOST_COMPARED, now=now)
    missing = runs.queue_missing(job=job, fire_times=found, now=now, dry_run=True) if found else []
    text = ngettext(
        "%(missing)s of %(all)s scheduled time has no run and would be queued.",
        "%(missing)s of %(all)s scheduled times have no run and would be queued.",
        len(found),
    )
    return text % {"missing": display.number(len(missing)), "all": display.number(len(found))}
