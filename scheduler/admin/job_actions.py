"""What may be done with a job, or with many: each is asked for first, and done by the services."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scheduler.admin import addresses, pages, words
from scheduler.admin.pages import Done, Question
from scheduler.admin.runs import effects_of_active_runs
from scheduler.errors import JobNotFound, SchedulerError
from scheduler.models import Job, Run
from scheduler.services import jobs

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Job]
else:
    _Admin = object

_MOST_REFUSALS_SHOWN = 5
_MOST_LINKS = 10
_MOST_NAMES = 20


class JobActions(_Admin):
    """The actions of jobs, one at a time from a page and many at once from the list."""

    actions = ("pause", "resume", "run_now")

    def action_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        views = {"pause": self.pause_view, "resume": self.resume_view, "run": self.run_view}
        return [
            path(f"<path:object_id>/{name}/", wrap(view), name=f"scheduler_job_{name}") for name, view in views.items()
        ]

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scheduler.pause_job")

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scheduler.run_job")

    # One job

    def pause_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self._open(request, object_id, self.has_pause_permission)
        back = addresses.job(job.pk)

        def act() -> Done:
            jobs.pause(job=job, actor=pages.actor(request), reason=reason_of(request))
            return Done(sentence=_("“%s” is paused.") % job.name, location=back)

        question = Question(
            title=_("Pause “%s”?") % words.first_line(job.name),
            effects=[_("It does not become due until somebody resumes it."), *_does_not_stop(job)],
            button=_("Pause"),
            back=back,
            asks_reason=True,
        )
        return pages.confirm(request, question=question, act=act)

    def resume_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        job = self._open(request, object_id, self.has_pause_permission)
        back = addresses.job(job.pk)

        def act() -> Done:
            resumed = jobs.resume(job=job, actor=pages.actor(request))
            when = words.due(resumed.next_run_time) if resumed.next_run_time else _("never: its last fire time is over")
            return Done(sentence=format_html(_("“{}” is resumed. Next run: {}"), job.name, when), location=back)

        question = Question(
            title=_("Resume “%s”?") % words.first_line(job.name),
            effects=[_("It is due again at its next fire time. What passed meanwhile is not made up for.")],
            button=_("Resume"),
            back=back,
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
            title=_("Run “%s” now?") % words.first_line(job.name),
            effects=[
                _("%s is run once, with the job's arguments. When the job is due does not change.")
                % words.plain(job.task),
                *effects_of_active_runs(job.pk),
            ],
            button=_("Run it now"),
            back=addresses.job(job.pk),
        )
        return pages.confirm(request, question=question, act=act)

    def _open(self, request: HttpRequest, object_id: str, is_allowed: Callable[[HttpRequest], bool]) -> Job:
        if not self.has_view_permission(request) or not is_allowed(request):
            raise PermissionDenied
        try:
            return jobs.get(id=unquote(object_id))
        except JobNotFound as error:
            raise Http404(str(error)) from None

    # Many jobs

    @admin.action(description=gettext_lazy("Pause selected jobs"), permissions=["pause"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        reason = reason_of(request)
        return self._bulk(
            request,
            queryset,
            title=_("Pause these jobs?"),
            effect=_("They do not become due until somebody resumes them. Runs that are queued or running go on."),
            button=_("Pause"),
            asks_reason=True,
            act=lambda job: jobs.pause(job=job, actor=pages.actor(request), reason=reason),
            tell=lambda done: ngettext("Paused %d job.", "Paused %d jobs.", len(done)) % len(done),
        )

    @admin.action(description=gettext_lazy("Resume selected jobs"), permissions=["pause"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        return self._bulk(
            request,
            queryset,
            title=_("Resume these jobs?"),
            effect=_("Each is due again at its next fire time. What passed meanwhile is not made up for."),
            button=_("Resume"),
            act=lambda job: jobs.resume(job=job, actor=pages.actor(request)),
            tell=lambda done: ngettext("Resumed %d job.", "Resumed %d jobs.", len(done)) % len(done),
        )

    @admin.action(description=gettext_lazy("Run selected jobs now"), permissions=["run"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        return self._bulk(
            request,
            queryset,
            title=_("Run these jobs now?"),
            effect=_("Each is run once more. Where as many runs as allowed are active, it waits for its turn."),
            button=_("Run them now"),
            act=lambda job: jobs.run_now(job=job, actor=pages.actor(request)),
            tell=_queued,
        )

    def _bulk(
        self,
        request: HttpRequest,
        queryset: QuerySet[Job],
        *,
        title: str,
        effect: str,
        button: str,
        act: Callable[[Job], Any],
        tell: Callable[[Sequence[Any]], str],
        asks_reason: bool = False,
    ) -> HttpResponse | None:
        """Ask, then do it to each job by itself; say which ones the services refused."""
        selected = list(queryset.order_by("name"))
        if not selected:
            return None
        names = ", ".join(words.first_line(job.name, most=60) for job in selected[:_MOST_NAMES])
        more = len(selected) - _MOST_NAMES
        names += " " + _("and %d more") % more if more > 0 else ""
        counted = ngettext("%(count)d job: %(names)s.", "%(count)d jobs: %(names)s.", len(selected))
        question = Question(
            title=title,
            effects=[counted % {"count": len(selected), "names": names}, effect],
            button=button,
            back=request.get_full_path(),
            asks_reason=asks_reason,
            fields=selection(request),
        )

        def do() -> Done:
            done = self._each(request, selected, act)
            return Done(sentence=tell(done) if done else "", location=request.get_full_path())

        return pages.confirm(request, question=question, act=do)

    def _each(self, request: HttpRequest, selected: Sequence[Job], act: Callable[[Job], Any]) -> list[Any]:
        done, refused = [], []
        for job in selected:
            try:
                done.append(act(job))
            except SchedulerError as error:
                refused.append(str(error))
        for sentence in refused[:_MOST_REFUSALS_SHOWN]:
            self.message_user(request, sentence, messages.ERROR)
        if len(refused) > _MOST_REFUSALS_SHOWN:
            more = len(refused) - _MOST_REFUSALS_SHOWN
            self.message_user(request, _("%d more jobs were refused.") % more, messages.ERROR)
        return done


def reason_of(request: HttpRequest) -> str:
    return words.plain(request.POST.get("reason", "")).strip()[:500]


def selection(request: HttpRequest) -> list[tuple[str, str]]:
    """What the list was told: with all that match, one of them stands for the rest."""
    across = request.POST.get("select_across", "0")
    ids = request.POST.getlist(ACTION_CHECKBOX_NAME)
    chosen = ids[:1] if across == "1" else ids
    return [
        ("action", request.POST.get("action", "")),
        ("select_across", across),
        *((ACTION_CHECKBOX_NAME, pk) for pk in chosen),
    ]


def _queued(runs: Sequence[Any]) -> str:
    links = format_html_join(
        ", ", '<a href="{}">#{}</a>', ((addresses.run(run.pk), run.pk) for run in runs[:_MOST_LINKS])
    )
    return format_html("{} {}", ngettext("Queued %d run:", "Queued %d runs:", len(runs)) % len(runs), links)


def _does_not_stop(job: Job) -> list[str]:
    active = Run.objects.active().filter(job_id=job.pk)[:1]
    return [_("This does not stop the run that is queued or running.")] if active else []
