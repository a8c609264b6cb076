"""Addresses of the pages of templates, and the frame of their forms."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from scheduler.admin import pages
from scheduler.models import Template
from scheduler.services.sites import reverse


def listed() -> str:
    """Return the address of the list of templates."""
    return reverse("admin:scheduler_template_changelist")


def address(name: str, template: Template) -> str:
    """Return the address of a page of a template."""
    return reverse(f"admin:scheduler_template_{name}", args=[template.pk])


def crumbs(template: Template | None = None) -> list[dict[str, str]]:
    above = [{"address": listed(), "text": _("Templates")}]
    return above if template is None else [*above, {"address": address("change", template), "text": template.title}]


def form(request: HttpRequest, form: Any, *, title: str, **context: Any) -> HttpResponse:
    """Render a form of templates."""
    facts = {"title": title, "form": form, "crumbs": crumbs()}
    return pages.show(request, "scheduler/templates/form.html", {**facts, **context})
