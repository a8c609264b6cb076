"""
Pages for what cannot be shown: they say what happened and lead back.

Name them in the project: ``handler403 = "scheduler.admin.errors.forbidden"``, ``handler404 =
"scheduler.admin.errors.not_found"`` beside its ``urlpatterns``, and ``CSRF_FAILURE_VIEW =
"scheduler.admin.errors.csrf_failure"`` in its settings. Outside of the admin they answer as Django does.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views import csrf, defaults

from scheduler import conf
from scheduler.admin import addresses, pages
from scheduler.admin.format import display
from scheduler.services import sites
from scheduler.services.sites import reverse


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer somebody whose permissions do not suffice."""
    if not _is_admin(request):
        return defaults.permission_denied(request, exception or PermissionError())
    return _show(
        request,
        status=HTTPStatus.FORBIDDEN,
        title=_("You cannot see or do this"),
        sentences=[
            _("Your account %s does not have the permission that this page needs.") % request.user.get_username(),
            _("Ask an administrator to give it to you, then reload this page."),
        ],
    )


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer somebody who looks for what is gone, or was never there."""
    if not _is_admin(request):
        return defaults.page_not_found(request, exception or LookupError())
    said = exception.args[0] if exception is not None and exception.args else ""
    sentences = [said if isinstance(said, str) and said else _("This address does not exist.")]
    links = []
    if "/scheduler/run/" in request.path:
        sentences.append(
            _("Runs are deleted %(days)s days after they ended, except the newest %(kept)s of each job.")
            % {"days": display.number(conf.get().retention_days), "kept": display.number(conf.get().keep_runs_per_job)}
        )
        links.append({"address": addresses.runs(), "text": _("All runs")})
    elif "/scheduler/job/" in request.path:
        sentences.append(_("A job that was deleted can be restored from the history of changes."))
        links.append({"address": addresses.changes(), "text": _("History of changes")})
        links.append({"address": addresses.jobs(), "text": _("All jobs")})
    return _show(request, status=HTTPStatus.NOT_FOUND, title=_("Not found"), sentences=sentences, links=links)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that was opened before its user logged in or out, in another tab as well."""
    if not _is_admin(request):
        return csrf.csrf_failure(request, reason=reason)
    return _show(
        request,
        status=HTTPStatus.FORBIDDEN,
        title=_("This page was opened before you logged in"),
        sentences=[
            _("The change was not saved. The form is protected by a token that ended with the login it belonged to."),
            _("Go back and reload the page. The form of a job is filled in again."),
        ],
        links=[{"address": request.get_full_path(), "text": _("Open the page again")}],
    )


def _is_admin(request: HttpRequest) -> bool:
    """Return whether the page is on a site of the admin, be it at an address that leads nowhere."""
    return any(request.path.startswith(index) for index in sites.indexes())


def _show(request: HttpRequest, *, status: HTTPStatus, links: Any = (), **context: Any) -> HttpResponse:
    home = {"address": reverse("admin:index"), "text": _("Home")}
    return pages.show(request, "scheduler/error.html", {**context, "links": [*links, home]}, status=status)
