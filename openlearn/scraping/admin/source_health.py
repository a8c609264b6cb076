"""The health of all sources on one page."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from openlearn.scraping import services
from openlearn.scraping.models import Source
from scheduler.admin.pages import show


def health_page(request: HttpRequest) -> HttpResponse:
    """Numbers by state, the worst sources, and the hosts that want no requests."""
    if not request.user.has_perm("scraping.view_source"):
        raise PermissionDenied
    context = {"title": gettext("Health of the sources"), "opts": Source._meta, "health": services.source_health()}
    return show(request, "admin/scraping/source/health.html", context)
