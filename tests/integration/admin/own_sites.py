"""Addresses of a project whose default admin has nothing of ours: all of it is on a site of its own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.urls import include, path

from scheduler.models import Job

_Site: type[AdminSite] = admin.site.__class__
"""That of the theme: its pages name addresses of its own."""

SITE = _Site(name="ops")
_BARE = _Site(name="admin")
"""Takes the name under which addresses are looked for by default."""

admin.autodiscover()
for _model, _admin in list(admin.site._registry.items()):
    if _model._meta.app_label == Job._meta.app_label:
        SITE.register(_model, type(_admin))

urlpatterns: list[Any] = [
    path("admin/", _BARE.urls),
    path("ops/", SITE.urls),
    path("api/v1/scheduler/", include("scheduler.api.urls")),
]
