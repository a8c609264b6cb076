"""Templates in the admin: one page each, with its versions and instances, and the ways to create and upgrade them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler import schedules
from scheduler.admin import addresses, pages
from scheduler.admin.format.display_zone import InDisplayZone
from scheduler.admin.format.languages import told
from scheduler.admin.foundation import ModelAdmin, register
from scheduler.admin.templates import frame, instance_preview, plan_text, upgrading
from scheduler.admin.templates.template_forms import InstanceForm, TableForm, TemplateForm
from scheduler.core.states import Via
from scheduler.errors import SchedulerError
from scheduler.models import Job, Template, TemplateVersion
from scheduler.services import templates
from scheduler.services.templates import from_jobs, instances, predefined, providers

_MOST_INSTANCES = 200


@register(Template)
class TemplateAdmin(InDisplayZone, ModelAdmin):
    list_display = ("title", "slug", "newest", "instance_count")
    search_fields = ("title", "slug", "description")
    actions = None

    @admin.display(description=gettext_lazy("version"))
    def newest(self, template: Any) -> int:
        number: int = template.newest_number
        return number

    @admin.display(description=gettext_lazy("instances"))
    def instance_count(self, template: Any) -> int:
        number: int = template.instance_number
        return number

    def get_queryset(self, request: HttpRequest) -> QuerySet[Template]:
        found: QuerySet[Template] = super().get_queryset(request)
        return found.annotate(
            newest_number=Max("versions__number"), instance_number=Count("versions__instances", distinct=True)
        )

    def get_urls(self) -> list[Any]:
        def view(route: str, function: Any, name: str) -> Any:
            return path(route, self.admin_site.admin_view(function), name=f"scheduler_template_{name}")

        return [
            view("<int:pk>/version/", self.version_view, "version"),
            view("<int:pk>/instance/", self.instance_view, "instance"),
            view("<int:pk>/table/", self.table_view, "table"),
            view("<int:pk>/upgrade/", self.upgrade_view, "upgrade"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        predefined.ensure()
        return super().changelist_view(request, extra_context)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """One with instances stays: its page says how to detach them."""
        may: bool = super().has_delete_permission(request, obj)
        return may and not (isinstance(obj, Template) and instances.of(template=obj).exists())

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = TemplateForm(request.POST or None, is_new=True, initial=_proposal(request))
        if request.method == "POST" and form.is_valid():
            given = {name: value for name, value in form.cleaned_data.items() if value is not None}
            try:
                version = templates.create(**given, actor=pages.actor(request))
            except SchedulerError as error:
                form.add_error(None, told(error))
            else:
                return HttpResponseRedirect(frame.address("change", version.template))
        return frame.form(request, form, title=_("New template"), button=_("Create"), back=frame.listed())

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        template = self._found(request, int(object_id) if object_id.isdecimal() else 0)
        newest = templates.version(template=template)
        rows = list(instances.of(template=template)[: _MOST_INSTANCES + 1])
        known = set(Job.objects.filter(pk__in=[row.job_key for row in rows]).values_list("pk", flat=True))
        context = {
            "title": template.title,
            "crumbs": [{"address": frame.listed(), "text": _("Templates")}],
            "template": template,
            "newest": newest,
            "parameters": templates.parameters(of=newest),
            "versions": template.versions.order_by("-number"),
            "instances": [
                {"row": row, "address": addresses.job(row.job_key) if row.job_key in known else ""}
                for row in rows[:_MOST_INSTANCES]
            ],
            "more": len(rows) > _MOST_INSTANCES,
            "behind": instances.of(template=template).exclude(template_version=newest).count(),
            "links": {
                name: frame.address(name, template) for name in ("version", "instance", "table", "upgrade", "delete")
            },
            "may": {
                "change": self.has_change_permission(request, template),
                "create": request.user.has_perm("scheduler.add_job"),
                "upgrade": request.user.has_perm("scheduler.change_job"),
                "delete": self.has_delete_permission(request, template),
            },
        }
        return pages.show(request, "scheduler/templates/template.html", context)

    def version_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        template = self._found(request, pk)
        if not self.has_change_permission(request, template):
            raise PermissionDenied
        return upgrading.version_page(request, template)

    def instance_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Create one instance, after showing what it will do."""
        template = self._found(request, pk)
        if not request.user.has_perm("scheduler.add_job"):
            raise PermissionDenied
        version = templates.version(template=template)
        form = InstanceForm(request.POST or None, parameters=templates.parameters(of=version))
        if request.method == "POST" and pages.PART in request.GET:
            context = instance_preview.context(form, version) if form.is_valid() else {}
            return render(request, "scheduler/templates/instance_preview.html", {"preview": context})
        preview: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            preview = instance_preview.context(form, version)
            if "create" in request.POST:
                given = {"key": form.cleaned_data["key"], "values": form.values()}
                try:
                    job = instances.create(version=version, **given, actor=pages.actor(request), via=Via.ADMIN)
                except SchedulerError as error:
                    form.add_error(None, told(error))
                else:
                    messages.success(request, _("“%s” was created.") % job.name)
                    return HttpResponseRedirect(addresses.job(job.pk))
        title = _("New instance of “%s”") % template.title
        back = frame.address("change", template)
        facts = {"checks": True, "preview": preview, "previewed_at": pages.live_address(request)}
        return frame.form(request, form, title=title, button=_("Create"), back=back, **facts)

    def table_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Create, change and pause instances by a pasted table, after showing the plan."""
        template = self._found(request, pk)
        if not (request.user.has_perm("scheduler.add_job") and request.user.has_perm("scheduler.change_job")):
            raise PermissionDenied
        version = templates.version(template=template)
        form = TableForm(request.POST or None, providers=sorted(schedules.providers()))
        plan: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            try:
                rows = _rows(form.cleaned_data, version)
                if "create" in request.POST:
                    done = instances.rows_apply(version=version, **rows, actor=pages.actor(request), via=Via.ADMIN)
                    messages.success(request, plan_text.sentence(done))
                    return HttpResponseRedirect(frame.address("change", template))
                plan = plan_text.context(instances.rows_plan(version=version, **rows))
            except SchedulerError as error:
                form.add_error("table", told(error))
        title = _("Instances of “%s” from a table") % template.title
        back = frame.address("change", template)
        return frame.form(request, form, title=title, button=_("Apply"), back=back, checks=True, **plan)

    def upgrade_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        template = self._found(request, pk)
        if not request.user.has_perm("scheduler.change_job"):
            raise PermissionDenied
        return upgrading.upgrade_page(request, template)

    def _found(self, request: HttpRequest, pk: int) -> Template:
        template = Template.objects.filter(pk=pk).first()
        if template is None:
            raise Http404
        if not self.has_view_permission(request, template):
            raise PermissionDenied
        return template


def _rows(given: Mapping[str, Any], version: TemplateVersion) -> dict[str, Any]:
    """Return the name of a set of rows, and the rows: of a provider, or of the pasted table."""
    if name := given.get("provider"):
        return {"rows": name, "given": providers.provider(name=name)()}
    parameters = templates.parameters(of=version)
    return {"rows": "table", "given": providers.read_table(text=given["table"], parameters=parameters)}


def _proposal(request: HttpRequest) -> dict[str, Any]:
    """Return what the form of a new template begins with: the job that the address names."""
    job = Job.objects.filter(pk=request.GET.get("job", "").replace("\x00", "")).first()
    if job is None or not request.user.has_perm("scheduler.view_job"):
        return {}
    try:
        found = from_jobs.proposed(job=job)
    except SchedulerError as error:
        messages.error(request, told(error))
        return {}
    return {
        "slug": found.slug,
        "title": found.title,
        "description": found.description,
        "parameters": list(found.parameters),
        "body": dict(found.body),
    }
