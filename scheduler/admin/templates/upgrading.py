"""A new version of a template, and the upgrade of its instances: the plan comes first, the changes in batches."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from scheduler.admin import pages
from scheduler.admin.bulk import bulk_admin
from scheduler.admin.format.languages import told
from scheduler.admin.templates import frame, plan_text
from scheduler.admin.templates.template_forms import TemplateForm
from scheduler.core.states import Via
from scheduler.errors import SchedulerError
from scheduler.models import Template, TemplateVersion
from scheduler.services import bulk, templates
from scheduler.services.bulk import Selection
from scheduler.services.templates import upgrades


def version_page(request: HttpRequest, template: Template) -> HttpResponse:
    """Save a new version, after showing what it would change in each instance. The next page applies it."""
    newest = templates.version(template=template)
    initial = {"parameters": newest.parameters, "body": newest.body}
    form = TemplateForm(request.POST or None, is_new=False, initial=initial)
    plan: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        if "create" in request.POST:
            version = templates.add_version(template=template, **form.cleaned_data, actor=pages.actor(request))
            return _after_saving(request, version, newest)
        given = {name: form.cleaned_data[name] for name in ("parameters", "body")}
        plan = plan_text.context(upgrades.plan(version=upgrades.draft(template=template, **given)))
    return frame.form(
        request,
        form,
        title=_("New version of “%s”") % template.title,
        button=_("Save as a new version"),
        back=frame.address("change", template),
        checks=True,
        **plan,
    )


def _after_saving(request: HttpRequest, version: TemplateVersion, newest: TemplateVersion) -> HttpResponse:
    template = version.template
    if version == newest:
        messages.info(request, _("This is the definition of version %d already.") % newest.number)
        return HttpResponseRedirect(frame.address("change", template))
    messages.success(request, _("The instances stay as they are until you upgrade them."))
    may_upgrade = request.user.has_perm("scheduler.change_job") and upgrades.count_of(template=template)
    return HttpResponseRedirect(frame.address("upgrade" if may_upgrade else "change", template))


def upgrade_page(request: HttpRequest, template: Template) -> HttpResponse:
    """Show what a version would change in each instance, and begin to apply it."""
    given = request.POST if request.method == "POST" else request.GET
    number = given.get("to", "")
    try:
        version = templates.version(template=template, number=int(number) if number.isdecimal() else None)
    except SchedulerError as error:
        raise Http404(told(error)) from None
    overwrite = given.get("overwrite") == "1"
    if request.method == "POST" and "apply" in request.POST:
        return _begin(request, version, overwrite=overwrite)
    context = {
        "title": _("Bring the instances of “%(title)s” to version %(number)d")
        % {"title": template.title, "number": version.number},
        "crumbs": frame.crumbs(template),
        "version": version,
        "versions": template.versions.order_by("-number"),
        "overwrite": overwrite,
        "back": frame.address("change", template),
        **plan_text.context(upgrades.plan(version=version, overwrite=overwrite)),
    }
    return pages.show(request, "scheduler/templates/upgrade.html", context)


def _begin(request: HttpRequest, version: TemplateVersion, *, overwrite: bool) -> HttpResponse:
    """Upgrade in the background. The page of the action shows how far it is."""
    row = bulk.begin(
        subject="template",
        action="upgrade",
        selection=Selection(ids=(version.template_id,)),
        parameters={"version": version.number, "overwrite": overwrite},
        actor=pages.actor(request),
        via=Via.ADMIN,
    )
    bulk.work_off(id=row.pk)
    return HttpResponseRedirect(bulk_admin.address(row.pk))
