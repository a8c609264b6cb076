"""Bring a list of feeds (OPML), and take it away."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext, gettext_lazy, ngettext

from openlearn.scraping import services
from openlearn.scraping.admin import tiers
from openlearn.scraping.models import Source
from scheduler.admin.format import display
from scheduler.admin.pages import actor, show
from scheduler.services.sites import reverse

_MOST_BYTES = 5 * 1024 * 1024


class ListForm(forms.Form):
    """A file, and how its feeds begin."""

    file = forms.FileField(label=gettext_lazy("list of feeds (OPML)"))
    tier = forms.ChoiceField(label=gettext_lazy("tier"), choices=tiers.choices, initial=Source.Tier.MEDIUM)
    paused = forms.BooleanField(
        label=gettext_lazy("paused"),
        required=False,
        initial=True,
        help_text=gettext_lazy("The sources make no requests until somebody resumes them."),
    )


def import_page(request: HttpRequest) -> HttpResponse:
    """Make sources of an uploaded list."""
    if not request.user.has_perm("scraping.add_source"):
        raise PermissionDenied
    form = ListForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid() and _import(request, form):
        return HttpResponseRedirect(reverse("admin:scraping_source_changelist"))
    context = {"title": gettext("Import a list of feeds"), "form": form, "opts": Source._meta}
    return show(request, "admin/scraping/source/import.html", context)


def export_page(request: HttpRequest) -> HttpResponse:
    """Download the sources that are feeds, without access data."""
    if not request.user.has_perm("scraping.view_source"):
        raise PermissionDenied
    headers = {"Content-Disposition": 'attachment; filename="openlearn.opml"'}
    return HttpResponse(services.export_list(), content_type="text/x-opml; charset=utf-8", headers=headers)


def _import(request: HttpRequest, form: ListForm) -> bool:
    file = form.cleaned_data["file"]
    if file.size > _MOST_BYTES:
        form.add_error("file", gettext("The file is larger than 5 MiB. Divide it."))
        return False
    try:
        imported = services.import_list(
            content=file.read(),
            tier=form.cleaned_data["tier"],
            paused=form.cleaned_data["paused"],
            actor=actor(request),
        )
    except ValueError:
        form.add_error("file", gettext("The file is not a list of feeds (OPML). Export one from your feed reader."))
        return False
    number = len(imported.created)
    created = ngettext("%s source was created.", "%s sources were created.", number) % display.number(number)
    known = ngettext("%s is known already.", "%s are known already.", imported.known) % display.number(imported.known)
    messages.success(request, f"{created} {known}")
    return True
