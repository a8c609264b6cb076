"""System checks: what only shows once all apps are loaded."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import DEFAULT_DB_ALIAS, connections

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


def databases(**_facts: Any) -> list[CheckMessage]:
    """Refuse databases that the tables cannot be made in, before a migration fails in its middle. Asks none of them."""
    found: list[CheckMessage] = []
    for alias in dict.fromkeys((DEFAULT_DB_ALIAS, conf.get().database)):
        if alias not in connections.settings:
            sentence = f"SCHEDULER['DATABASE'] is “{alias}”, and DATABASES has no such alias."
            found.append(Error(sentence, id="scheduler.E002"))
        elif connections[alias].vendor != "postgresql":
            name = connections[alias].display_name
            sentence = f"The database “{alias}” is {name}; the scheduler needs PostgreSQL. Change DATABASES[{alias!r}]."
            found.append(Error(sentence, id="scheduler.E003"))
    return found
