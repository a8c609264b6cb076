"""The state of this installation: does the database answer, are its tables there, how many jobs has it."""

from __future__ import annotations

import dataclasses
import pkgutil
from collections.abc import Iterator
from importlib import import_module

from django.apps import apps
from django.core.management import call_command
from django.db import connections
from django.db.utils import Error

from scheduler.errors import DatabaseUnavailable
from scheduler.models import Job
from scheduler.services import assumptions, retention
from scheduler.services.database_errors import connect, explain, is_transient
from scheduler.store import database
from scheduler.store.liveness import sequences
from scheduler.store.sessions import locks
from scheduler.store.sessions.connections import Connection

TABLES = frozenset({"django_apscheduler_djangojob", "scheduler_job", "scheduler_run", "scheduler_node"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The state of the installation. ``error`` is a sentence with the remedy, or ``None``."""

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
    """Check the database without changing it. Faults are reported, never raised."""
    refused = assumptions.of_project()
    if refused:
        return Health(connection_valid=False, error=refused[0].sentence)
    try:
        for alias in database.aliases():
            connect(alias=alias)
    except DatabaseUnavailable as error:
        return Health(connection_valid=False, error=error.message, is_transient=is_transient(error.__cause__))
    alias = database.tables_alias()
    try:
        wrong = assumptions.of_server()
        missing = missing_migrations()
        table_exists = set(connections[alias].introspection.table_names()) >= TABLES
        job_count = Job.objects.using(alias).count() if table_exists else None
    except Error as error:
        return Health(connection_valid=True, error=explain(error=error, alias=alias))
    return Health(
        connection_valid=True,
        table_exists=table_exists,
        job_count=job_count,
        missing_migrations=missing,
        error=wrong or _what_is_missing(missing=missing, table_exists=table_exists),
    )


def install() -> Health:
    """
    Create or update the tables where they are not as the code needs them, then check. Running it again is safe.

    Processes that install at once wait for each other. The job that cleans up every night is made if it is missing,
    whoever applied the migrations.
    """
    found = check()
    if not found.connection_valid:
        return found
    session = Connection(purpose="install")
    try:
        with locks.alone(session, lock=locks.INSTALL):
            return _install()
    except DatabaseUnavailable as error:
        return dataclasses.replace(found, error=str(error))
    finally:
        session.close()


def _install() -> Health:
    found = check()
    for alias in database.aliases():
        try:
            if missing_in(alias=alias):
                call_command("migrate", database=alias, interactive=False, verbosity=0)
        except Error as error:
            return dataclasses.replace(found, error=explain(error=error, alias=alias))
    found = check()
    if found.error is None:
        sequences.advance()
    if found.error is None and retention.schedule_clean_up():
        found = check()
    return found


def missing_migrations() -> tuple[str, ...]:
    """Return ``app.name`` of every migration of the project that one of its databases does not have."""
    return tuple(dict.fromkeys(name for alias in database.aliases() for name in missing_in(alias=alias)))


def missing_in(*, alias: str) -> tuple[str, ...]:
    """
    Return ``app.name`` of every migration that one database does not have.

    While each file of a migration is recorded, none of them is imported: nodes and commands start sooner.
    """
    from django.db.migrations.recorder import MigrationRecorder

    connection = connections[alias]
    if MigrationRecorder(connection).applied_migrations().keys() >= set(_files_of_migrations()):
        return ()
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return tuple(f"{migration.app_label}.{migration.name}" for migration, _backwards in plan)


def _files_of_migrations() -> Iterator[tuple[str, str]]:
    """Yield the label of an app and the name of each migration that it has, without importing them."""
    from django.db.migrations.loader import MigrationLoader

    for app in apps.get_app_configs():
        name, _is_explicit = MigrationLoader.migrations_module(app.label)
        try:
            module = import_module(name) if name else None
        except ModuleNotFoundError:
            continue
        for found in pkgutil.iter_modules(getattr(module, "__path__", ())):
            if not found.ispkg and found.name[0] not in "_~":
                yield app.label, found.name


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
