"""The actions on one job: each asks for confirmation and calls the services."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduler.admin import addresses, pages
from scheduler.admin.bulk import bulk_admin
from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.admin.jobs import backfilling, declared, job_statistics, pausing, run_with
from scheduler.admin.pages import Done, Question
from scheduler.admin.runs.run_admin import effects_of_active_runs
from scheduler.admin.runs.run_page import RUN_WITH_OTHER_ARGUMENTS
from scheduler.core.states import JobSource, JobState, Via
from scheduler.errors import JobNotFound
from scheduler.models import Job, Run
from scheduler.services import jobs
from scheduler.services.bulk import Selection, begin, work_off
from scheduler.services.jobs import bulk, transfer
from scheduler.services.queries import job_queries
from scheduler.services.queries.job_queries import JobFilter

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Job]
else:
    _Admin = object


class JobActions(_Admin):
    """The actions of one job, from its page and from its row in the list."""

    def action_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        views = {
            "pause": self.pause_view,
            "resume": self.resume_view,
            "run": self.run_view,
            "run-with": self.run_with_view,
            "backfill": self.backfill_view,
            "statistics": self.statistics_view,
            "clone": self.clone_view,
            "export": self.export_view,
            "take": self.take_view,
            "keep": self.keep_view,
            "detach": self.detach_view,
        }
        return [
            path("pause-all/", wrap(self.pause_all_view), name="scheduler_job_pause_all"),
            *(
                path(f"<path:object_id>/{name}/", wrap(view), name=f"scheduler_job_{name.replace('-', '_')}")
                for name, view in views.items()
            ),
        ]

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scheduler.pause_job")

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scheduler.run_job")

    # One job

    def pause_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self._open(request, object_id, self.has_pause_permission)
        back = addresses.job(job.pk)
        pause = pausing.asked(request)

        def act() -> Done:
            paused = pause.begin(request, job)
            told = _("“%s” is paused.") % job.name
            if pause.until is not None:
                facts = {"name": job.name, "until": pause.end}
                told = _("“%(name)s” is paused until %(until)s.") % facts
                told = f"{told} {pausing.cost(paused, now=pause.now)}".strip()
            return Done(sentence=told, location=back)

        question = Question(
            title=_("Pause “%s”?") % display.first_line(job.name),
            effects=[
                _("It will not run until the pause ends or someone resumes it."),
                *([pausing.sentence(job, now=pause.now)] if job.state == JobState.PAUSED else []),
                *_does_not_stop(job),
            ],
            button=_("Pause"),
            back=back,
            **pause.asks,
        )
        return pages.confirm(request, question=question, act=act, problem=pause.problem)

    def take_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self._open(request, object_id, self.has_change_permission)
        question, act = declared.taking(request, job)
        return pages.confirm(request, question=question, act=act)

    def keep_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self._open(request, object_id, self.has_change_permission)
        question, act = declared.keeping(request, job)
        return pages.confirm(request, question=question, act=act)

    def detach_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self._open(request, object_id, self.has_change_permission)
        question, act = declared.detaching(request, job)
        return pages.confirm(request, question=question, act=act)

    def pause_all_view(self, request: HttpRequest) -> HttpResponse:
        """Pause every active job, or those with a tag or of an executor, which the address may name."""
        if not self.has_view_permission(request) or not self.has_pause_permission(request):
            raise PermissionDenied
        pause = pausing.asked(request)
        tag, executor = request.GET.get("tag", ""), request.GET.get("executor", "")
        filter = JobFilter(
            states=(JobState.ACTIVE,), tags=(tag,) if tag else (), executors=(executor,) if executor else ()
        )
        number = job_queries.jobs(filter=filter).count()

        def act() -> Done:
            row = begin(
                subject="jobs",
                action="pause",
                selection=Selection(filter=filter),
                parameters={"reason": pause.reason, "until": pause.until.isoformat() if pause.until else None},
                actor=pages.actor(request),
                via=Via.ADMIN,
            )
            work_off(id=row.pk)
            return Done(sentence="", location=bulk_admin.address(row.pk))

        which = [_("Only jobs with the tag “%s”.") % display.first_line(tag)] if tag else []
        which += [_("Only jobs of the executor “%s”.") % display.first_line(executor)] if executor else []
        question = Question(
            title=_("Pause everything?"),
            effects=[
                ngettext("%(number)s active job is paused.", "%(number)s active jobs are paused.", number)
                % {"number": display.number(number)},
                *which,
                _("Runs already queued or running are not stopped."),
            ],
            button=_("Pause"),
            back=addresses.jobs(),
            **pause.asks,
        )
        return pages.confirm(request, question=question, act=act, problem=pause.problem)

    def resume_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self._open(request, object_id, self.has_pause_permission)
        back = addresses.job(job.pk)

        def act() -> Done:
            resumed = jobs.resume(job=job, **pages.author(request), reason=pages.reason(request))
            when = (
                display.due(resumed.next_run_time)
                if resumed.next_run_time
                else _("never: its last scheduled time has passed")
            )
            return Done(sentence=format_html(_("“{}” is resumed. Next run: {}"), job.name, when), location=back)

        question = Question(
            title=_("Resume “%s”?") % display.first_line(job.name),
            effects=[_("It will run again at its next scheduled time. Runs due during the pause are skipped.")],
            button=_("Resume"),
            back=back,
            asks_reason=True,
        )
        return pages.confirm(request, question=question, act=act)

    def run_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self._open(request, object_id, self.has_run_permission)

        def act() -> Done:
            run = jobs.run_now(job=job, actor=pages.actor(request))
            address = addresses.run(run.pk)
            sentence = format_html('{} <a href="{}">#{}</a>', _("A run is queued:"), address, run.pk)
            may_see = request.user.has_perm("scheduler.view_run")
            return Done(sentence=sentence, location=address if may_see else addresses.job(job.pk))

        question = Question(
            title=_("Run “%s” now?") % display.first_line(job.name),
            effects=[
                _("Runs %s once with the job's arguments. The schedule does not change.") % display.plain(job.task),
                *effects_of_active_runs(job.pk),
            ],
            button=_("Run it now"),
            back=addresses.job(job.pk),
            given=job.kwargs,
        )
        return pages.confirm(request, question=question, act=act)

    def run_with_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self._open(request, object_id, lambda request: request.user.has_perms(RUN_WITH_OTHER_ARGUMENTS))
        given = run_with.asked(request, subject=job, stored=job.kwargs)

        def act() -> Done:
            run = jobs.run_now(job=job, actor=pages.actor(request), kwargs=given.kwargs)
            may_see = request.user.has_perm("scheduler.view_run")
            location = addresses.run(run.pk) if may_see else addresses.job(job.pk)
            return Done(sentence=_("Run #%d is queued.") % run.pk, location=location)

        question = Question(
            title=_("Run “%s” with other arguments?") % display.first_line(job.name),
            effects=[
                _("Runs %s once. The job and its schedule do not change.") % display.plain(job.task),
                *effects_of_active_runs(job.pk),
            ],
            button=_("Run it"),
            back=addresses.job(job.pk),
            arguments=given.html,
        )
        return pages.confirm(request, question=question, act=act, problem=given.problem)

    def statistics_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self._open(request, object_id, lambda request: request.user.has_perm("scheduler.view_run"))
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        return pages.show(request, "scheduler/jobs/statistics.html", job_statistics.context(job))

    def backfill_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self._open(request, object_id, self.has_run_permission)
        return backfilling.ask(request, job)

    def clone_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self._open(request, object_id, self.has_add_permission)
        name = display.plain(request.POST.get("name", "")).strip()[:255] or f"{job.name[:246]} (copy)"

        def act() -> Done:
            copy = bulk.clone(job=job, **pages.author(request), source=JobSource.ADMIN, id=None, name=name, paused=True)
            told = _("“%(copy)s” is a copy of “%(name)s”. It is paused until it is resumed.")
            may_edit = self.has_change_permission(request)
            location = addresses.job_form(copy.pk) if may_edit else addresses.job(copy.pk)
            return Done(sentence=told % {"copy": copy.name, "name": job.name}, location=location)

        question = Question(
            title=_("Clone “%s”?") % display.first_line(job.name),
            effects=[
                _("The copy has the same definition, including secrets and tags, and a history of its own."),
                _("It is paused, so that you can check it before it runs."),
            ],
            button=_("Clone"),
            back=addresses.job(job.pk),
            name=name,
        )
        return pages.confirm(request, question=question, act=act)

    def export_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        return as_file([self._open(request, object_id, self.has_view_permission).pk])

    def _open(self, request: HttpRequest, object_id: str, is_allowed: Callable[[HttpRequest], bool]) -> Job:
        if not self.has_view_permission(request) or not is_allowed(request):
            raise PermissionDenied
        try:
            return jobs.get(id=unquote(object_id))
        except JobNotFound as error:
            raise Http404(told(error)) from None


def _does_not_stop(job: Job) -> list[str]:
    active = Run.objects.active().filter(job_id=job.pk)[:1]
    return [_("Runs already queued or running are not stopped.")] if active else []


def as_file(ids: Iterable[str]) -> HttpResponse:
    """The definitions of these jobs as a file that can be imported. Secrets are masked."""
    return JsonResponse(
        transfer.export(ids=tuple(ids)),
        json_dumps_params={"indent": 2, "ensure_ascii": False},
        headers={
            "Content-Disposition": f'attachment; filename="jobs-{timezone.localdate():%Y-%m-%d}.json"',
            "Cache-Control": "no-store",
        },
    )
