"""
Settings of the server that the scheduler relies on and cannot change: ``manage.py check`` and every start reject
others.

Other settings are made by ``sql/prepare_session.sql`` in every session of a node, and by ``store.database.atomic`` in
every transaction of the web. ``docs/assumptions.md`` lists both.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import connections

from scheduler.store import database, statements


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Something that this project must be or have."""

    code: str
    """The id of the system check."""

    sentence: str


def of_project() -> list[Refusal]:
    """Return what is wrong with the settings. Connects to no database."""
    found = []
    if not settings.USE_TZ:
        found.append(
            Refusal(
                code="scheduler.E004",
                sentence="USE_TZ is False; the scheduler computes with aware times. Set USE_TZ = True: "
                "TIME_ZONE stays the zone of forms and pages.",
            )
        )
    for alias in dict.fromkeys((database.tables_alias(), database.sessions_alias())):
        if alias not in connections.settings:
            sentence = f"SCHEDULER['DATABASE'] is “{alias}”, and DATABASES has no such alias."
            found.append(Refusal(code="scheduler.E002", sentence=sentence))
        elif connections[alias].vendor != "postgresql":
            name = connections[alias].display_name
            sentence = f"The database “{alias}” is {name}; the scheduler needs PostgreSQL. Change DATABASES[{alias!r}]."
            found.append(Refusal(code="scheduler.E003", sentence=sentence))
    return found


def of_server() -> str | None:
    """Read the settings of the server. Return a sentence about the first wrong one."""
    tables, sessions = database.tables_alias(), database.sessions_alias()
    encoding, replication_role, started_at, oid = _facts(tables)
    if encoding != "UTF8":
        return (
            f"The database “{tables}” stores texts as {encoding}, which cannot hold every character. Create it with "
            "ENCODING 'UTF8'."
        )
    if replication_role != "origin":
        return (
            f"The sessions of “{tables}” have session_replication_role = {replication_role}: no change of a job would "
            "be noted. Reset it (ALTER ROLE … RESET session_replication_role)."
        )
    if sessions != tables and _facts(sessions)[2:] != (started_at, oid):
        return (
            f"SCHEDULER['DATABASE'] is “{sessions}”, which is another database than “{tables}”, where this project's "
            "routers have the jobs. Name an alias of the same database, or let a router send the apps “scheduler” and "
            f"“django_apscheduler” to “{sessions}”."
        )
    return None


def _facts(alias: str) -> tuple[object, ...]:
    with connections[alias].cursor() as cursor:
        cursor.execute(statements.load("describe_server"))
        facts: tuple[object, ...] = cursor.fetchone()
    return facts
