"""Whether this installation can work: does the database answer, are its tables there, how many jobs has it."""

from __future__ import annotations

import dataclasses
import re

from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import Error

from scheduler import conf
from scheduler.errors import DatabaseUnavailable
from scheduler.models import Job
from scheduler.services import retention

TABLES = frozenset({"django_apscheduler_djangojob", "scheduler_job", "scheduler_run", "scheduler_node"})
VENDOR = "postgresql"

_TRANSIENT = (
    r"[Cc]onnection refused|No such file or directory|starting up|shutting down|not accepting connections"
    r"|in recovery mode|too many clients|remaining connection slots|timeout expired|closed the connection"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What was found. ``error`` is a sentence that says what to do, or ``None`` when nothing is wrong."""

    connection_valid: bool
    table_exists: bool = False
    job_count: int | None = None
    missing_migrations: tuple[str, ...] = ()
    """``app.name`` of each migration that was not applied, in the order in which they will be."""

    error: str | None = None
    is_transient: bool = False
    """The server may just be starting: trying again can help."""

    def as_dict(self) -> dict[str, object]:
        found = {**dataclasses.asdict(self), "missing_migrations": list(self.missing_migrations)}
        del found["is_transient"]
        return found


def check() -> Health:
    """Look at the database and change nothing. Never raises for what is wrong with it."""
    try:
        for alias in dict.fromkeys((DEFAULT_DB_ALIAS, conf.get().database)):
            connect(alias=alias)
    except DatabaseUnavailable as error:
        return Health(connection_valid=False, error=str(error), is_transient=is_transient(error.__cause__))
    alias = conf.get().database
    try:
        missing = missing_migrations(alias=alias)
        table_exists = set(connections[alias].introspection.table_names()) >= TABLES
        job_count = Job.objects.using(alias).count() if table_exists else None
    except Error as error:
        return Health(connection_valid=True, error=explain(error=error, alias=alias))
    return Health(
        connection_valid=True,
        table_exists=table_exists,
        job_count=job_count,
        missing_migrations=missing,
        error=_what_is_missing(missing=missing, table_exists=table_exists),
    )


def install() -> Health:
    """
    Create or update the tables where they are not as the code needs them, then check. Running it again is safe.

    A new installation gets the job that cleans up every night.
    """
    found = check()
    if not found.connection_valid or not found.missing_migrations:
        return found
    try:
        call_command("migrate", database=conf.get().database, interactive=False, verbosity=0)
    except Error as error:
        return dataclasses.replace(found, error=explain(error=error, alias=conf.get().database))
    if "scheduler.0001_initial" in found.missing_migrations:
        retention.schedule_clean_up()
    return check()


def connect(*, alias: str) -> None:
    """
    Open a connection, or use the open one.

    :raises DatabaseUnavailable: with one sentence that says why and what to do
    """
    if alias not in connections.settings:
        raise DatabaseUnavailable(f"SCHEDULER['DATABASE'] is “{alias}”, and DATABASES has no such alias.")
    connection = connections[alias]
    if connection.vendor != VENDOR:
        raise DatabaseUnavailable(
            f"The database “{alias}” is {connection.display_name}. The scheduler needs PostgreSQL: set DATABASE_URL to "
            "one, or leave it unset for the embedded one."
        )
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (Error, ImproperlyConfigured) as error:
        raise DatabaseUnavailable(explain(error=error, alias=alias)) from error


def missing_migrations(*, alias: str) -> tuple[str, ...]:
    """Return ``app.name`` of every migration of the project that this database does not have."""
    executor = MigrationExecutor(connections[alias])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return tuple(f"{migration.app_label}.{migration.name}" for migration, _backwards in plan)


def explain(*, error: Exception, alias: str) -> str:
    """Say in one sentence why the database refused, and what to do. PostgreSQL's own words end it when unknown."""
    text = " ".join(str(error).split())
    if error.__cause__ is None:
        # Not from the driver: what the backend itself says is a sentence already.
        return text
    found = connections[alias].settings_dict
    where = f"{found['HOST'] or 'the local socket'}{':' + str(found['PORT']) if found['PORT'] else ''}"
    user, name = found["USER"] or "of this process", found["NAME"]
    for pattern, sentence in (
        (
            r"password authentication failed|no password supplied",
            f"{where} refused the password of the user “{user}”: correct it in DATABASE_URL or POSTGRES_PASSWORD.",
        ),
        (
            r"could not translate host name|[Nn]ame or service not known|nodename nor servname",
            f"The host “{found['HOST']}” is not known: correct it in DATABASE_URL or POSTGRES_HOST.",
        ),
        (
            r'database ".*" does not exist',
            f"There is no database “{name}” on {where}: create it (createdb {name}) or correct its name.",
        ),
        (
            r'role ".*" does not exist',
            f"There is no user “{user}” on {where}: create it (createuser {user}) or correct the name.",
        ),
        (
            r"[Cc]onnection refused|No such file or directory",
            f"Nothing listens on {where}: start PostgreSQL there, or correct the host and port.",
        ),
        (
            r"timeout expired|timed out|No route to host|Network is unreachable",
            f"{where} does not answer: correct the host, or open the way to it (firewall, network, server).",
        ),
        (
            r"no pg_hba\.conf entry",
            f"{where} does not let the user “{user}” in from here: allow it in pg_hba.conf, or set sslmode=require.",
        ),
        (
            r"invalid response to SSL negotiation|expected authentication request|invalid message",
            f"What listens on {where} is not PostgreSQL: correct the host and port.",
        ),
        (
            r"starting up|shutting down|not accepting connections|in recovery mode",
            f"PostgreSQL on {where} is starting or stopping: try again in a moment.",
        ),
        (
            r"too many clients|remaining connection slots",
            f"PostgreSQL on {where} has no connection left: raise max_connections, or lower DB_POOL_SIZE.",
        ),
        (
            r"permission denied",
            f"The user “{user}” lacks rights on “{name}” ({text}): grant them, or use the database's owner.",
        ),
    ):
        if re.search(pattern, text):
            return sentence
    return f"The database “{name}” on {where} cannot be used: {text.rstrip('.')}."


def is_transient(error: BaseException | None) -> bool:
    """Whether the same attempt may succeed in a moment: the server is starting, stopping, full or not there yet."""
    return error is not None and re.search(_TRANSIENT, " ".join(str(error).split())) is not None


def _what_is_missing(*, missing: tuple[str, ...], table_exists: bool) -> str | None:
    if missing:
        count = len(missing)
        return (
            f"The tables are not up to date: {count} migration{'' if count == 1 else 's'} to apply "
            f"({missing[0]}{' …' if count > 1 else ''}). Run “manage.py init_scheduler_db” to apply them."
        )
    if not table_exists:
        return (
            "Tables of the scheduler are missing although its migrations are recorded as applied. Restore them from a "
            "backup, or run “manage.py migrate scheduler zero” and then “manage.py init_scheduler_db”: that "
            "deletes all jobs."
        )
    return None
