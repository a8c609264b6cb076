"""Connections that cannot be had: why, and what to do, in one sentence."""

from __future__ import annotations

import re

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.utils import Error

from scheduler.errors import DatabaseUnavailable
from scheduler.store import database

_TRANSIENT = (
    r"[Cc]onnection refused|No such file or directory|starting up|shutting down|not accepting connections"
    r"|in recovery mode|too many clients|remaining connection slots|timeout expired|closed the connection"
)


def connect(*, alias: str) -> None:
    """
    Open a connection, or use the open one.

    :raises DatabaseUnavailable: with one sentence that says why and what to do
    """
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
    except (Error, ImproperlyConfigured) as error:
        raise DatabaseUnavailable(explain(error=error, alias=alias)) from error


_CURES = (
    (
        r"password authentication failed|no password supplied",
        "{where} refused the password of the user “{user}”: correct it in {password_place}.",
    ),
    (
        r"could not translate host name|[Nn]ame or service not known|nodename nor servname",
        "The host “{host}” is not known: correct it in {host_place}.",
    ),
    (
        r'database ".*" does not exist',
        "There is no database “{name}” on {where}: create it (createdb {name}) or correct its name.",
    ),
    (
        r'role ".*" does not exist',
        "There is no user “{user}” on {where}: create it (createuser {user}) or correct the name.",
    ),
    (
        r"[Cc]onnection refused|No such file or directory",
        "Nothing listens on {where}: start PostgreSQL there, or correct the host and port.",
    ),
    (
        r"timeout expired|timed out|No route to host|Network is unreachable",
        "{where} does not answer: correct the host, or open the way to it (firewall, network, server).",
    ),
    (
        r"no pg_hba\.conf entry",
        "{where} does not let the user “{user}” in from here: allow it in pg_hba.conf, or set sslmode=require.",
    ),
    (
        r"invalid response to SSL negotiation|expected authentication request|invalid message",
        "What listens on {where} is not PostgreSQL: correct the host and port.",
    ),
    (
        r"starting up|shutting down|not accepting connections|in recovery mode",
        "PostgreSQL on {where} is starting or stopping: try again in a moment.",
    ),
    (
        r"too many clients|remaining connection slots",
        "PostgreSQL on {where} has no connection left: raise max_connections, or keep fewer open.",
    ),
    (
        r"permission denied",
        "The user “{user}” lacks rights on “{name}” ({text}): grant them, or use the database's owner.",
    ),
)
"""PostgreSQL's words, as a regular expression, and the sentence that names what to do."""


def explain(*, error: Exception, alias: str | None = None) -> str:
    """Return one sentence: why the database refused, and what to do. PostgreSQL's own words end it when unknown."""
    alias = alias or database.tables_alias()
    text = " ".join(str(error).split())
    if error.__cause__ is None:
        # Not from the driver: what the backend itself says is a sentence already.
        return text
    found = connections[alias].settings_dict

    def place(key: str) -> str:
        """Settings that come from the environment name their variables, in a key that Django ignores."""
        return str(found.get("VARIABLES", {}).get(key) or f"DATABASES[{alias!r}][{key!r}]")

    values = {
        "where": f"{found['HOST'] or 'the local socket'}{':' + str(found['PORT']) if found['PORT'] else ''}",
        "host": found["HOST"],
        "user": found["USER"] or "of this process",
        "name": found["NAME"],
        "text": text,
        "password_place": place("PASSWORD"),
        "host_place": place("HOST"),
    }
    for pattern, sentence in _CURES:
        if re.search(pattern, text):
            return sentence.format(**values)
    return "The database “{name}” on {where} cannot be used: {text}.".format(**{**values, "text": text.rstrip(".")})


def is_transient(error: BaseException | None) -> bool:
    """Return whether the same attempt may soon succeed: the server is starting, stopping, full or not there yet."""
    return error is not None and re.search(_TRANSIENT, " ".join(str(error).split())) is not None
