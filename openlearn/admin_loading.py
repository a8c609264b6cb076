"""Django's admin, loaded with its addresses: nodes and most commands start sooner without it, and in less memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks


class AdminConfig(SimpleAdminConfig):
    """The admin of Django without its discovery at the start, for which ``openlearn.urls`` cares."""

    def ready(self) -> None:
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(check_all_classes, checks.Tags.admin)


def check_all_classes(app_configs: Sequence[AppConfig] | None = None, **facts: Any) -> list[checks.CheckMessage]:
    """Check the classes of the admin, which a command without addresses has not loaded yet."""
    admin.autodiscover()
    found: list[checks.CheckMessage] = check_admin_app(app_configs, **facts)
    return found
