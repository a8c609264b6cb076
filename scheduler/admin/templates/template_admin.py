"""Templates in the admin: one page each, with its versions and instances, and the ways to create and upgrade them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin import addresses, pages
from scheduler.admin.format.display_zone import InDisplayZone
from scheduler.admin.format.languages import told
from scheduler.admin.foundation import ModelAdmin, register
from scheduler.admin.templates import plan_text
from scheduler.admin.templates.template_forms import InstanceForm, TableForm, TemplateForm
from scheduler.core.states import Via
from scheduler.errors import SchedulerError
from scheduler.models import Job, Template
from scheduler.services import templates
from scheduler.services.jobs import validation
from scheduler.services.sites import reverse
from scheduler.services.templates import from_jobs, instances, predefined, providers, rendering

_MOST_INSTANCES = 200
_PREVIEWED = 5


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
                return HttpResponseRedirect(self._address("change", version.template))
        return self._form(request, form, title=_("New template"), button=_("Create"), back=self._list())

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        template = self._found(request, int(object_id) if object_id.isdigit() else 0)
        newest = templates.version(template=template)
        rows = list(instances.of(template=template)[: _MOST_INSTANCES + 1])
        known = set(Job.objects.filter(pk__in=[row.job_key for row in rows]).values_list("pk", flat=True))
        context = {
            "title": template.title,
            "crumbs": [{"address": self._list(), "text": _("Templates")}],
            "template": template,
            "newest": newest,
            "parameters": templates.parameters(of=newest),
            "versions": template.versions.order_by("-number"),
            "instances": [
                {"row": row, "address": addresses.job(row.job_key) if row.job_key in known else ""}
                for row in rows[:_MOST_INSTANCES]
            ],
            "more": len(rows) > _MOST_INSTANCES,
            "behind": sum(row.template_version_id != newest.pk for row in rows[:_MOST_INSTANCES]),
            "links": {
                name: self._address(name, template) for name in ("version", "instance", "table", "upgrade", "delete")
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
        newest = templates.version(template=template)
        initial = {"parameters": newest.parameters, "body": newest.body}
        form = TemplateForm(request.POST or None, is_new=False, initial=initial)
        if request.method == "POST" and form.is_valid():
            templates.add_version(template=template, **form.cleaned_data, actor=pages.actor(request))
            messages.success(request, _("The instances stay as they are until you upgrade them."))
            return HttpResponseRedirect(self._address("change", template))
        title = _("New version of “%s”") % template.title
        back = self._address("change", template)
        return self._form(request, form, title=title, button=_("Save as a new version"), back=back)

    def instance_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Create one instance, after showing what it will do."""
        template = self._found(request, pk)
        if not request.user.has_perm("scheduler.add_job"):
            raise PermissionDenied
        version = templates.version(template=template)
        form = InstanceForm(request.POST or None, parameters=templates.parameters(of=version))
        preview: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            given: dict[str, Any] = {"version": version, "key": form.cleaned_data["key"], "values": form.values()}
            try:
                preview = _preview(**given)
                if "create" in request.POST:
                    job = instances.create(**given, actor=pages.actor(request), via=Via.ADMIN)
                    messages.success(request, _("“%s” was created.") % job.name)
                    return HttpResponseRedirect(addresses.job(job.pk))
            except SchedulerError as error:
                form.add_error(None, told(error))
        title = _("New instance of “%s”") % template.title
        back = self._address("change", template)
        return self._form(request, form, title=title, button=_("Create"), back=back, checks=True, preview=preview)

    def table_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Create, change and pause instances by a pasted table, after showing the plan."""
        template = self._found(request, pk)
        if not (request.user.has_perm("scheduler.add_job") and request.user.has_perm("scheduler.change_job")):
            raise PermissionDenied
        version = templates.version(template=template)
        form = TableForm(request.POST or None)
        plan: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            try:
                rows = providers.read_table(
                    text=form.cleaned_data["table"], parameters=templates.parameters(of=version)
                )
                if "create" in request.POST:
                    done = instances.rows_apply(
                        version=version, rows="table", given=rows, actor=pages.actor(request), via=Via.ADMIN
                    )
                    messages.success(request, plan_text.sentence(done))
                    return HttpResponseRedirect(self._address("change", template))
                plan = plan_text.context(instances.rows_plan(version=version, rows="table", given=rows))
            except SchedulerError as error:
                form.add_error("table", told(error))
        title = _("Instances of “%s” from a table") % template.title
        back = self._address("change", template)
        return self._form(request, form, title=title, button=_("Apply"), back=back, checks=True, **plan)

    def upgrade_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what a version would change in each instance, and apply it."""
        template = self._found(request, pk)
        if not request.user.has_perm("scheduler.change_job"):
            raise PermissionDenied
        given = request.POST if request.method == "POST" else request.GET
        number = given.get("to", "")
        try:
            version = templates.version(template=template, number=int(number) if number.isdigit() else None)
        except SchedulerError as error:
            raise Http404(str(error)) from None
        overwrite = given.get("overwrite") == "1"
        if request.method == "POST" and "apply" in request.POST:
            done = instances.upgrade(version=version, overwrite=overwrite, actor=pages.actor(request), via=Via.ADMIN)
            messages.success(request, plan_text.sentence(done))
            return HttpResponseRedirect(self._address("change", template))
        context = {
            "title": _("Bring the instances of “%(title)s” to version %(number)d")
            % {"title": template.title, "number": version.number},
            "crumbs": self._crumbs(template),
            "version": version,
            "versions": template.versions.order_by("-number"),
            "overwrite": overwrite,
            "back": self._address("change", template),
            **plan_text.context(instances.upgrade_plan(version=version, overwrite=overwrite)),
        }
        return pages.show(request, "scheduler/templates/upgrade.html", context)

    def _form(self, request: HttpRequest, form: Any, *, title: str, **context: Any) -> HttpResponse:
        facts = {"title": title, "form": form, "crumbs": [{"address": self._list(), "text": _("Templates")}]}
        return pages.show(request, "scheduler/templates/form.html", {**facts, **context})

    def _found(self, request: HttpRequest, pk: int) -> Template:
        template = Template.objects.filter(pk=pk).first()
        if template is None:
            raise Http404
        if not self.has_view_permission(request, template):
            raise PermissionDenied
        return template

    def _crumbs(self, template: Template) -> list[dict[str, str]]:
        return [
            {"address": self._list(), "text": _("Templates")},
            {"address": self._address("change", template), "text": template.title},
        ]

    def _list(self) -> str:
        return reverse("admin:scheduler_template_changelist")

    def _address(self, name: str, template: Template) -> str:
        return reverse(f"admin:scheduler_template_{name}", args=[template.pk])


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


def _preview(*, version: Any, key: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return what the job of an instance would be: its definition, in words, and its next fire times."""
    owner = instances.owner_of(template=version.template)
    found = rendering.declaration(version=version, key=key, values=values, owner=owner)
    definition = found.definition
    validation.check_arguments(
        task=definition["task"], args=definition.get("args", ()), kwargs=definition.get("kwargs", {})
    )
    trigger = validation.preview(trigger=definition["trigger"], count=_PREVIEWED, must_fire=True)
    return {
        "name": definition.get("name", key),
        "task": definition["task"],
        "sentence": told(trigger.sentence),
        "times": trigger.fire_times,
    }
