from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from scheduler.admin.forms import JobForm, plain
from scheduler.core import triggers
from scheduler.core.policies import POLICIES
from scheduler.core.states import JobSource
from scheduler.errors import InvalidTrigger, JobNotFound, SchedulerError
from scheduler.models import Job
from scheduler.services import jobs

_MOST_REFUSALS_SHOWN = 5
_MOST_LINKS = 10
_MOST_CHARS = 100

_DEFINITION = ("name", "description", "task", "args", "kwargs", "trigger")
_DERIVED = (
    "id",
    "state",
    "state_reason",
    "state_changed_at",
    "state_changed_by",
    "next_run_time",
    "when",
    "runs",
    "consecutive_failures",
    "source",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
)


@admin.register(Job)
class JobAdmin(admin.ModelAdmin):
    form = JobForm
    list_display = ("name", "shown_state", "task", "when", "next_run_time", "executor")
    list_filter = ("state", "source", "executor")
    search_fields = ("name", "task", "id")
    show_full_result_count = False
    actions = ("pause", "resume", "run_now")
    readonly_fields = _DERIVED

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return super().get_queryset(request).defer("job_state")

    def get_fieldsets(self, request: HttpRequest, obj: Job | None = None) -> Any:
        derived = [(_("State"), {"fields": _DERIVED})]
        if obj is None:
            return [(None, {"fields": (*_DEFINITION, "new_id")}), (_("Policies"), {"fields": POLICIES})]
        # A hidden field has no value of the job behind it that a page without a form could show.
        version = ("seen_version",) if self.has_change_permission(request, obj) else ()
        return [(None, {"fields": (*_DEFINITION, *version)}), (_("Policies"), {"fields": POLICIES}), *derived]

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, job: Job) -> str:
        reason = job.state_reason.strip().partition("\n")[0]
        if not reason:
            return job.state
        return f"{job.state}: {reason[:_MOST_CHARS]}{'…' if len(reason) > _MOST_CHARS else ''}"

    @admin.display(description=_("when"))
    def when(self, job: Job) -> str:
        """The trigger in words; as it is stored if there are none, because raw SQL may have written anything."""
        try:
            return triggers.describe(job.trigger)
        except (InvalidTrigger, TypeError):
            return plain(job.trigger)[:_MOST_CHARS]

    @admin.display(description=_("runs"))
    def runs(self, job: Job) -> str:
        address = f"{reverse('admin:scheduler_run_changelist')}?{urlencode({'job': job.pk})}"
        return format_html('<a href="{}">{}</a>', address, _("Runs of this job"))

    # Saving and deleting

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return self._or_say_why(
            request,
            lambda: super(JobAdmin, self).changeform_view(request, object_id, form_url, extra_context),
            request.get_full_path(),
        )

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return self._or_say_why(
            request,
            lambda: super(JobAdmin, self).delete_view(request, object_id, extra_context),
            reverse("admin:scheduler_job_changelist"),
        )

    def _or_say_why(self, request: HttpRequest, view: Callable[[], HttpResponse], otherwise: str) -> HttpResponse:
        """Answer with the page, or go to ``otherwise`` and say there what the services refused."""
        try:
            return view()
        except SchedulerError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(otherwise)

    def save_model(self, request: HttpRequest, obj: Job, form: JobForm, change: bool) -> None:
        values = form.cleaned_data
        if change:
            saved = jobs.update(
                job=obj,
                actor=_actor(request),
                version=values["seen_version"],
                **{name: values[name] for name in (*_DEFINITION, *POLICIES) if name in form.changed_data},
            )
        else:
            saved = jobs.create(
                id=values["new_id"],
                **{name: values[name] for name in _DEFINITION},
                actor=_actor(request),
                source=JobSource.ADMIN,
                **form.policies(),
            )
        # What the admin says and links to next is the job as it was saved.
        obj.pk = obj.id = saved.pk
        obj.name = saved.name

    def delete_model(self, request: HttpRequest, obj: Job) -> None:
        jobs.remove(job=obj, actor=_actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        for job in queryset:
            try:
                jobs.remove(job=job, actor=_actor(request))
            except JobNotFound:
                # Somebody else was quicker: it is gone, as was asked.
                continue

    def get_deleted_objects(self, objs: Iterable[Job], request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """Name the jobs alone: their history stays, and would be far too long for a page."""
        names = [f"{job.name} ({job.pk})" for job in objs]
        lacking = set() if self.has_delete_permission(request) else {self.opts.verbose_name}
        return names, {self.opts.verbose_name_plural: len(names)}, lacking, []

    # Actions

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scheduler.pause_job")

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scheduler.run_job")

    @admin.action(description=_("Pause selected jobs"), permissions=["pause"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        done = self._each(request, queryset, lambda job: jobs.pause(job=job, actor=_actor(request)))
        if done:
            self.message_user(request, ngettext("Paused %d job.", "Paused %d jobs.", len(done)) % len(done))

    @admin.action(description=_("Resume selected jobs"), permissions=["pause"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        done = self._each(request, queryset, lambda job: jobs.resume(job=job, actor=_actor(request)))
        if done:
            self.message_user(request, ngettext("Resumed %d job.", "Resumed %d jobs.", len(done)) % len(done))

    @admin.action(description=_("Run selected jobs now"), permissions=["run"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        queued = self._each(request, queryset, lambda job: jobs.run_now(job=job, actor=_actor(request)))
        if queued:
            links = format_html_join(
                ", ",
                '<a href="{}">#{}</a>',
                ((reverse("admin:scheduler_run_change", args=[run.pk]), run.pk) for run in queued[:_MOST_LINKS]),
            )
            text = ngettext("Queued %d run:", "Queued %d runs:", len(queued)) % len(queued)
            self.message_user(request, format_html("{} {}", text, links))

    def _each(self, request: HttpRequest, queryset: QuerySet[Job], act: Callable[[Job], Any]) -> list[Any]:
        """Do it to each job by itself, say which ones the services refused, and return what the others gave."""
        done, refused = [], []
        for job in queryset:
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


def _actor(request: HttpRequest) -> str:
    return request.user.get_username()[:150]
