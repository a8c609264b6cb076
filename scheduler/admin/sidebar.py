"""The sidebar of django-unfold with all our pages: by itself it lists models, and the dashboard is none."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.html import escape
from django.utils.translation import gettext as _

from scheduler.services import sites
from scheduler.services.sites import reverse

_ORDER = (
    "Job",
    "Template",
    "Calendar",
    "Run",
    "Queue",
    "Incident",
    "Node",
    "Change",
    "Rule",
    "Channel",
    "Notification",
    "Switch",
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """
    Return what ``UNFOLD["SIDEBAR"]["navigation"]`` may name: our pages first, then the models of all other apps.

    Each person has only the links that would not refuse them. Titles are escaped: unfold shows them as markup.
    """
    apps = sorted(sites.of(request).get_app_list(request), key=lambda app: app["app_label"] != "scheduler")
    groups = [(app["name"], _own(app) if app["app_label"] == "scheduler" else _models(app)) for app in apps]
    is_here = [link for _title, links in groups for _text, link in links if request.path.startswith(link)]
    here = max(is_here, key=len, default="")
    return [
        {
            "title": escape(title),
            "items": [{"title": escape(text), "link": link, "active": link == here} for text, link in links],
        }
        for title, links in groups
        if links
    ]


def _models(app: dict[str, Any]) -> list[tuple[str, str]]:
    return [(model["name"], model["admin_url"]) for model in app["models"] if model["admin_url"]]


def _own(app: dict[str, Any]) -> list[tuple[str, str]]:
    """Frequent pages come first. The dashboard and the health page need the permissions of their models."""
    known = {model["object_name"]: (model["name"], model["admin_url"]) for model in app["models"] if model["admin_url"]}
    beside = {
        "Job": (_("Dashboard"), reverse("admin:scheduler_dashboard")),
        "Node": (_("Health"), reverse("admin:scheduler_health")),
    }
    links = []
    for name in _ORDER:
        if name in known:
            links += [known[name]]
        if name in known and name in beside:
            links.insert(0 if name == "Job" else len(links), beside[name])
    return links
