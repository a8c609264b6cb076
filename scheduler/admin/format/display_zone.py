"""In whose time zone pages are read: the project's, UTC, or any place that a person chose for this browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from scheduler.admin import pages
from scheduler.admin.fields import trigger_field
from scheduler.admin.format import display
from scheduler.core.triggers.zones import zone_named
from scheduler.services.sites import reverse

COOKIE = "scheduler_zone"
"""Kept by the browser: no page writes a row to remember it."""

_A_YEAR = 365 * 24 * 3600
_PLACE = "place"


class InDisplayZone:
    """Mixed into an admin: whatever it answers shows times in the zone that was chosen."""

    @property
    def urls(self) -> list[URLPattern]:
        patterns: list[URLPattern] = super().urls  # type: ignore[misc]
        for pattern in patterns:
            pattern.callback = in_display_zone(pattern.callback)
        return patterns


def in_display_zone(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        zone = chosen(request)
        if zone is None:
            return view(request, *args, **kwargs)
        with timezone.override(zone):
            response = view(request, *args, **kwargs)
            # The lists of Django's admin are rendered after the view, when the zone is the project's again.
            if (render := getattr(response, "render", None)) is not None:
                render()
        return response

    return shown


def chosen(request: HttpRequest) -> tzinfo | None:
    """The zone of this browser. ``None``: the project's zone, also for an invalid cookie."""
    try:
        return zone_named(request.COOKIES[COOKIE])
    except LookupError:
        return None


def view(request: HttpRequest) -> HttpResponse:
    """Ask for the zone, keep the answer in the browser, and go back to where the question came from."""
    back = request.POST.get("next") or request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        back = reverse("admin:index")
    if request.method != "POST":
        return _ask(request, back)
    wanted = request.POST.get("zone", "")
    name = request.POST.get("place", "").strip() if wanted == _PLACE else wanted
    try:
        zone = zone_named(name) if name else None
    except LookupError:
        problem = _("“%s” is not a time zone. Choose a region such as Europe/Berlin.") % display.first_line(
            name, most=64
        )
        return _ask(request, back, place=name, problem=problem)
    answer = HttpResponseRedirect(back)
    path = reverse("admin:index")
    if zone is None:
        answer.delete_cookie(COOKIE, path=path, samesite="Lax")
    else:
        answer.set_cookie(
            COOKIE, name, max_age=_A_YEAR, path=path, secure=request.is_secure(), httponly=True, samesite="Lax"
        )
    return answer


def _ask(request: HttpRequest, back: str, *, place: str = "", problem: str = "") -> HttpResponse:
    now = timezone.now()
    project = timezone.get_default_timezone_name()
    kept = request.COOKIES.get(COOKIE, "") if chosen(request) is not None else ""
    offered: list[tuple[str, str, tzinfo]] = [("", _("The project's: %s") % project, timezone.get_default_timezone())]
    if project != "UTC":
        offered.append(("UTC", "UTC", zone_named("UTC")))
    values = [value for value, _text, _zone in offered]
    context = {
        "title": _("Time zone of the pages"),
        "choices": [
            {
                "value": value,
                "text": text,
                "there": f"{timezone.localtime(now, zone):%H:%M}",
                "is_chosen": value == kept and not problem,
            }
            for value, text, zone in offered
        ],
        "place": place or (kept if kept not in values else ""),
        "is_place": bool(problem) or kept not in values,
        "problem": problem,
        "back": back,
        "zones": trigger_field.zones(),
    }
    return pages.show(request, "scheduler/zone.html", context)
