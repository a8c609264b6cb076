"""Jobs in the admin: the list, the page, the form."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin import addresses, pages
from scheduler.admin.dashboard import dashboard, outlook
from scheduler.admin.fields.arguments_field import switched
from scheduler.admin.format import display, display_zone
from scheduler.admin.format.display_zone import InDisplayZone
from scheduler.admin.format.languages import told
from scheduler.admin.foundation import ModelAdmin, register
from scheduler.admin.jobs import job_page, preview
from scheduler.admin.jobs.bulk_actions import BulkActions
from scheduler.admin.jobs.job_actions import JobActions
from scheduler.admin.jobs.job_form import JobForm
from scheduler.admin.jobs.job_list import ListOfJobs
from scheduler.core.definition import NAMES, POLICIES, Group, named
from scheduler.core.states import JobSource
from scheduler.errors import JobNotFound, SchedulerError, StaleVersion
from scheduler.models import Job
from scheduler.services import jobs, masking
from scheduler.services.jobs import bulk
from scheduler.services.queries import job_queries
from scheduler.services.sites import reverse


@register(Job)
class JobAdmin(InDisplayZone, JobActions, BulkActions, ListOfJobs, ModelAdmin):
    form = JobForm
    change_form_template = "scheduler/jobs/job_form.html"
    delete_confirmation_template = "scheduler/jobs/job_delete_confirmation.html"
    save_as = True

    def get_urls(self) -> list[Any]:
        page = path("<path:object_id>/show/", self.admin_site.admin_view(self.page_view), name="scheduler_job_page")
        parts = [
            path("dashboard/", self.admin_site.admin_view(self.dashboard_view), name="scheduler_dashboard"),
            path("outlook/", self.admin_site.admin_view(self.outlook_view), name="scheduler_outlook"),
            path("zone/", self.admin_site.admin_view(display_zone.view), name="scheduler_zone"),
            path("preview/", self.admin_site.admin_view(self.preview_view), name="scheduler_job_preview"),
            path("arguments/", self.admin_site.admin_view(self.arguments_view), name="scheduler_job_arguments"),
        ]
        return [*parts, page, *self.action_urls(), *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Job | None = None) -> Any:
        further = "new_id" if obj is None else "seen_version"
        return [
            (gettext_lazy("What"), {"fields": (*named(group=Group.WHAT), further)}),
            (gettext_lazy("When"), {"fields": named(group=Group.WHEN)}),
            (gettext_lazy("Rules"), {"fields": named(group=Group.RULES)}),
            (gettext_lazy("If it fails"), {"fields": named(group=Group.FAILURES)}),
            (gettext_lazy("Advanced"), {"fields": named(group=Group.RARE), "classes": ("collapse",)}),
            (None, {"fields": ("change_reason",)}),
        ]

    # The pages

    def dashboard_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return pages.show_live(
            request,
            "scheduler/dashboard/dashboard.html",
            dashboard.context(request),
            region="scheduler/dashboard/dashboard_region.html",
        )

    def outlook_view(self, request: HttpRequest) -> HttpResponse:
        """The next hours and days, and a heat map of the last days."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        see_runs = request.user.has_perm("scheduler.view_run")
        return pages.show(request, "scheduler/dashboard/outlook.html", outlook.context(see_runs=see_runs))

    def page_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            job = jobs.get(id=unquote(object_id))
        except JobNotFound as error:
            raise Http404(told(error)) from None
        return pages.show_live(
            request, "scheduler/jobs/job.html", job_page.context(request, job), region="scheduler/jobs/job_region.html"
        )

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The admin's own log lacks changes from elsewhere. Our change history has all of them."""
        return redirect(addresses.changes(job=unquote(object_id)))

    # The form

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        """Lead to where the job can be made again. The browser keeps what was typed into the form of its address."""
        job = unquote(object_id)
        said = _(
            "The job “%s” was deleted. Restore it from its history: its form then offers the values that were typed."
        )
        messages.warning(request, said % display.first_line(job))
        return redirect(addresses.changes(job=job))

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """The effect of the trigger in the form, without saving."""
        self._refuse_who_may_not_write(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        return render(request, "scheduler/jobs/preview.html", preview.context(request.POST))

    def arguments_view(self, request: HttpRequest) -> HttpResponse:
        """The fields of the task that was chosen in the form, or the same values as JSON."""
        self._refuse_who_may_not_write(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        return HttpResponse(switched(request.POST))

    def _refuse_who_may_not_write(self, request: HttpRequest) -> None:
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        obj = kwargs.get("obj")
        context["executors"] = sorted(job_queries.executors())
        context["may_run"] = self.has_run_permission(request)
        context["next_run_time"] = obj.next_run_time if obj else None
        form = context["adminform"].form
        context |= preview.context(form.data) if form.is_bound else preview.before_typing(form)
        context["previewed"] = " ".join(POLICIES)
        return super().render_change_form(request, context, *args, **kwargs)

    def response_post_save_add(self, request: HttpRequest, obj: Job) -> HttpResponseRedirect:
        return self._after_saving(request, obj)

    def response_post_save_change(self, request: HttpRequest, obj: Job) -> HttpResponseRedirect:
        return self._after_saving(request, obj)

    def _after_saving(self, request: HttpRequest, obj: Job) -> HttpResponseRedirect:
        """Show the job, or the run that was asked for with it."""
        if "_save_run" in request.POST and self.has_run_permission(request):
            run = jobs.run_now(job=obj, actor=pages.actor(request))
            address = addresses.run(run.pk)
            self.message_user(request, format_html('{} <a href="{}">#{}</a>', _("A run is queued:"), address, run.pk))
            if request.user.has_perm("scheduler.view_run"):
                return HttpResponseRedirect(address)
        can_see = self.has_view_permission(request)
        return HttpResponseRedirect(addresses.job(obj.pk) if can_see else reverse("admin:index"))

    # Saving and deleting

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if object_id is not None and not self.has_change_permission(request):
            if not self.has_view_permission(request):
                raise PermissionDenied
            if request.method != "GET":
                raise PermissionDenied
            return HttpResponseRedirect(addresses.job(unquote(object_id)))
        return self._or_explain(
            request,
            lambda: super(JobAdmin, self).changeform_view(request, object_id, form_url, extra_context),
            request.get_full_path(),
        )

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return self._or_explain(
            request,
            lambda: super(JobAdmin, self).delete_view(request, object_id, extra_context),
            reverse("admin:scheduler_job_changelist"),
        )

    def _or_explain(self, request: HttpRequest, view: Callable[[], HttpResponse], otherwise: str) -> HttpResponse:
        """Answer with the page, or go to ``otherwise`` and say there what the services refused."""
        try:
            try:
                return view()
            except StaleVersion:
                # Somebody saved between this form's check and its saving: checked again, it says so and keeps the text.
                return view()
        except SchedulerError as error:
            self.message_user(request, told(error), messages.ERROR)
            return HttpResponseRedirect(otherwise)

    def save_model(self, request: HttpRequest, obj: Job, form: JobForm, change: bool) -> None:
        values = form.cleaned_data
        if change:
            # What is sealed goes as a mask, as everybody else sends it.
            values = {**values, "args": masking.masked(values["args"]), "kwargs": masking.masked(values["kwargs"])}
            saved = bulk.update(
                job=obj,
                **pages.author(request),
                reason=values.get("change_reason", ""),
                version=values["seen_version"],
                **{name: values[name] for name in NAMES if name in form.changed_data},
            )
        else:
            saved = bulk.create(
                id=values["new_id"],
                **{name: values[name] for name in NAMES if name not in POLICIES},
                **pages.author(request),
                reason=values.get("change_reason", ""),
                source=JobSource.ADMIN,
                **form.policies(),
            )
        # What the admin says and links to next is the job as it was saved.
        obj.pk = obj.id = saved.pk
        obj.name = saved.name
        if warning := preview.warning(trigger=saved.trigger, rules=values):
            self.message_user(request, warning, messages.WARNING)

    def delete_model(self, request: HttpRequest, obj: Job) -> None:
        jobs.remove(job=obj, **pages.author(request), reason=pages.reason(request))

    def render_delete_form(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        job = context["object"]
        asked = {"title": _("Delete “%s”?") % display.first_line(job.name), "back": addresses.job(job.pk)}
        return super().render_delete_form(request, context | asked)

    def get_deleted_objects(self, objs: Iterable[Job], request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """Name the jobs alone: their history stays, and would be far too long for a page."""
        names = [f"{display.plain(job.name)} ({job.pk})" for job in objs]
        lacking = set() if self.has_delete_permission(request) else {self.opts.verbose_name}
        return names, {self.opts.verbose_name_plural: len(names)}, lacking, []
