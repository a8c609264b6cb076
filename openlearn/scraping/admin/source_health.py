"""The health of all sources on one page."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from openlearn.scraping import sentences, services
from openlearn.scraping.admin.failure_kinds import kind_title
from openlearn.scraping.models import Source
from scheduler.admin.format.languages import told
from scheduler.admin.pages import show


def _trouble(source: Source) -> str:
    """Say what is wrong with a source, in the language of the reader."""
    if source.failure:
        return told(sentences.from_data(source.failure))
    if source.last_error:
        return source.last_error
    return gettext("Moved permanently to %s.") % source.moved_to if source.moved_to else ""


def health_page(request: HttpRequest) -> HttpResponse:
    """Numbers by state, the worst sources, and the hosts that want no requests."""
    if not request.user.has_perm("scraping.view_source"):
        raise PermissionDenied
    health = services.source_health()
    context = {
        "title": gettext("Health of the sources"),
        "opts": Source._meta,
        "health": health,
        "failures": [(code, kind_title(code), number) for code, number in health.failures],
        "worst": [(source, _trouble(source)) for source in health.worst],
    }
    return show(request, "admin/scraping/source/health.html", context)
