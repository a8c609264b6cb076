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


def project(**_facts: Any) -> list[CheckMessage]:
    """Refuse settings that the scheduler cannot work with, before a migration fails in its middle."""
    from scheduler.services import assumptions

    return [Error(refusal.sentence, id=refusal.code) for refusal in assumptions.of_project()]
