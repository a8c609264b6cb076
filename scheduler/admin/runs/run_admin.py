"""Runs in the admin: pages of our own, and what may be done with a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _

from scheduler.admin import addresses, pages
from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.admin.foundation import register
from scheduler.admin.jobs import run_with
from scheduler.admin.pages import Done, Question
from scheduler.admin.queues import enqueueing_again
from scheduler.admin.readonly import ReadOnlyAdmin
from scheduler.admin.runs import run_list, run_log, run_many, run_notes, run_page
from scheduler.core.states import NoteKind, RunState
from scheduler.errors import InvalidFilter, RunNotFound
from scheduler.models import Job, Run
from scheduler.services import jobs, runs
from scheduler.services.queries import run_queries


@register(Run)
class RunAdmin(ReadOnlyAdmin):
    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        actions: dict[str, Callable[..., HttpResponseBase]] = {
            "retry": self.retry_view,
            "again": self.again_view,
            "cancel": self.cancel_view,
            "log": self.log_view,
            "note": partial(self.note_view, kind=NoteKind.NOTE),
            "take": partial(self.note_view, kind=NoteKind.TAKEN),
            "release": partial(self.note_view, kind=NoteKind.RELEASED),
        }
        own = [
            path(f"<int:run_id>/{name}/", wrap(view), name=f"scheduler_run_{name}") for name, view in actions.items()
        ]
        many = path("many/", wrap(self.many_view), name="scheduler_run_many")
        return [many, *own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:  # type: ignore[override]
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return HttpResponseNotAllowed(["GET"])
        return run_list.show(request)

    def many_view(self, request: HttpRequest) -> HttpResponseBase:
        """Act on many runs. The address has the filter, as in the list."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        query = request.GET.copy()
        for name in ("action", "select_across"):
            query.pop(name, None)
        back = f"{addresses.runs()}{query.urlencode()}"
        try:
            _tab, wanted = run_list.read(request)
        except InvalidFilter as error:
            messages.error(request, told(error))
            return HttpResponseRedirect(back)
        return run_many.ask(request, wanted, back=back)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if object_id is None or request.method == "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        run = _found(object_id)
        return pages.show_live(
            request, "scheduler/runs/run.html", run_page.context(request, run), region="scheduler/runs/run_region.html"
        )

    def log_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        if not (self.has_view_permission(request) and request.user.has_perm("scheduler.view_run_output")):
            raise PermissionDenied
        run = _found(run_id)
        if "after" in request.GET:
            answer = render(request, "scheduler/runs/log_lines.html", run_log.after(request, run))
            answer["Cache-Control"] = "no-store"
            return answer
        response = HttpResponse(run.log, content_type="text/plain; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="run-{run.pk}.log"'
        return response

    def cancel_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        run = self._open(request, run_id, "scheduler.cancel_run")

        def act() -> Done:
            done = runs.cancel(run=run, actor=pages.actor(request))
            said = (
                _("Run #%d is cancelled.")
                if done.state == RunState.CANCELLED
                else _("Cancellation of run #%d was requested.")
            )
            return Done(sentence=said % done.pk, location=addresses.run(done.pk))

        question = Question(
            title=_("Cancel run #%(id)d of “%(job)s”?") % {"id": run.pk, "job": display.first_line(run.job_name)},
            effects=_effects_of_cancelling(run),
            button=_("Cancel the run"),
            back=addresses.run(run.pk),
            is_destructive=True,
        )
        return pages.confirm(request, question=question, act=act)

    def retry_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        run = self._open(request, run_id, "scheduler.retry_run")

        def act() -> Done:
            created = runs.retry(run=run, actor=pages.actor(request))
            said = _("Run #%(id)d is queued: attempt %(attempt)d.") % {"id": created.pk, "attempt": created.attempt}
            return Done(sentence=said, location=addresses.run(created.pk))

        question = Question(
            title=_("Retry run #%(id)d of “%(job)s”?") % {"id": run.pk, "job": display.first_line(run.job_name)},
            effects=[
                _("Runs %s again with the arguments of this run.") % display.plain(run.task),
                *(effects_of_active_runs(run.job_id) if run.job_id else ()),
            ],
            button=_("Retry"),
            back=addresses.run(run.pk),
        )
        return pages.confirm(request, question=question, act=act)

    def again_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        run = self._open(request, run_id, *run_page.RUN_WITH_OTHER_ARGUMENTS)
        if run_with.can_be_given(run):
            return enqueueing_again.ask(request, run)
        job = Job.objects.filter(pk=run.job_id).first() if run.job_id else None
        if job is None:
            raise Http404
        given = run_with.asked(request, subject=job, stored=run.kwargs)

        def act() -> Done:
            created = jobs.run_now(job=job, actor=pages.actor(request), kwargs=given.kwargs)
            return Done(sentence=_("Run #%d is queued.") % created.pk, location=addresses.run(created.pk))

        question = Question(
            title=_("Run “%s” with other arguments?") % display.first_line(job.name),
            effects=[
                _("Runs %s once. The job and its schedule do not change.") % display.plain(job.task),
                *effects_of_active_runs(job.pk),
            ],
            button=_("Run it"),
            back=addresses.run(run.pk),
            arguments=given.html,
        )
        return pages.confirm(request, question=question, act=act, problem=given.problem)

    def note_view(self, request: HttpRequest, run_id: int, *, kind: NoteKind) -> HttpResponse:
        """Write a note on the run, take its failure on, or release it."""
        return run_notes.ask(request, self._open(request, run_id, run_notes.PERMISSION), kind)

    def _open(self, request: HttpRequest, run_id: int, *permissions: str) -> Run:
        if not self.has_view_permission(request) or not request.user.has_perms(permissions):
            raise PermissionDenied
        return _found(run_id)


def effects_of_active_runs(job_id: str | None) -> list[str]:
    """Say what a further run of the job means while others of it have not ended."""
    active = list(Run.objects.active().filter(job_id=job_id).only("pk", "node", "started_at", "state")[:20])
    if not active:
        return []
    limit = Job.objects.filter(pk=job_id).values_list("max_instances", flat=True).first() or 1
    names = run_queries.node_names(runs=active)
    running = [run for run in active if run.state == RunState.RUNNING]
    where = ", ".join(sorted({run_page.node_name(run, names) for run in running} - {""}))
    if running:
        now = _("Already running on %s.") % where if where else _("Already running.")
    else:
        now = _("Another run is queued.")
    waits = len(active) >= limit
    then = _("This run will wait.") if waits else _("A second run will start in parallel.")
    return [f"{now} {then}"]


def _effects_of_cancelling(run: Run) -> list[str]:
    if run.finished_at is not None:
        return [_("The run has finished. Cancelling has no effect.")]
    if run.state == RunState.QUEUED:
        return [_("The run has not started and will not start.")]
    if run.runs_on == "processpool":
        return [_("Its process is killed at once. Partial effects remain.")]
    return [
        _(
            "It runs in a thread, which cannot be killed. The code continues until it checks "
            "current_run().stopping, a coroutine until its next await. Until then the run stays “running”."
        )
    ]


def _found(run_id: str | int) -> Run:
    try:
        return runs.get(id=int(run_id))
    except (RunNotFound, ValueError, OverflowError):
        raise Http404(_("There is no run #%s.") % run_id) from None
