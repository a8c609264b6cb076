"""System checks: what only shows once all apps are loaded."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error

from scheduler import conf
from scheduler.errors import Misconfigured


def admin_base(**_facts: Any) -> list[CheckMessage]:
    """Refuse an ``ADMIN_BASE`` that cannot be used, by its value."""
    from scheduler.admin import foundation

    try:
        foundation.chosen(conf.get().admin_base)
    except Misconfigured as error:
        return [Error(str(error), id="scheduler.E001")]
    return []
