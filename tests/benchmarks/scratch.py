"""A scratch database beside the configured one, and a node in this process."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NAME = "openlearn_benchmark"


@contextmanager
def database(*, keep: bool = False) -> Iterator[None]:
    """Set Django up on a database of its own, created here and dropped at the end unless it is to be kept."""
    _set_up()
    from django.core.management import call_command
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {NAME}")
    connection.close()
    original = connection.settings_dict["NAME"]
    _switch_to(NAME)
    try:
        call_command("migrate", verbosity=0)
        gc.freeze()  # as runscheduler does when it has started
        yield
    finally:
        connection.close()
        _switch_to(original)
        if not keep:
            with connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


@contextmanager
def attached() -> Iterator[None]:
    """Set Django up on the scratch database that another process has created."""
    _set_up()
    from django.db import connection

    _switch_to(NAME)
    gc.freeze()
    yield
    connection.close()


def _set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openlearn.settings")
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    import django

    django.setup()
    import tests.benchmarks.tasks

    assert tests.benchmarks.tasks


def _switch_to(name: str) -> None:
    from django.db import connection

    from openlearn.db.postgresql.base import close_pools

    close_pools()
    connection.settings_dict["NAME"] = name


def empty() -> None:
    """Remove all jobs and runs."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE scheduler_run, scheduler_job, scheduler_node, django_apscheduler_djangojob CASCADE")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def add_jobs(
    *,
    task: str,
    count: int,
    trigger: str = '{"type": "interval", "hours": 1}',
    spread: float = 0.0,
    ahead: float = 0.0,
    kwargs: dict[str, Any] | None = None,
    executor: str = "default",
    rerun_if_interrupted: bool = False,
) -> None:
    """Add jobs that are due ``ahead`` seconds from now, or one after the other over ``spread`` seconds after that."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO django_apscheduler_djangojob (id, next_run_time, job_state)
            SELECT 'bench-' || n, date_trunc('second', now()) + (%s + n * %s::float8 / %s) * interval '1 second', ''
              FROM generate_series(1, %s) AS n
            """,
            [ahead, spread, count, count],
        )
        cursor.execute(
            """
            INSERT INTO scheduler_job (
                   djangojob_ptr_id, name, description, task, args, kwargs, trigger, executor, priority, coalesce,
                   max_instances, misfire_grace_time, rerun_if_interrupted, state, state_reason, state_changed_by,
                   source, created_at, created_by, updated_at, updated_by, version, needs_inspection,
                   needs_rescheduling)
            SELECT 'bench-' || n, 'bench ' || n, '', %s, '[]', %s::jsonb, %s::jsonb, %s, 0, true, 1, 300, %s,
                   'active', '', '', 'code', now(), '', now(), '', 1, false, false
              FROM generate_series(1, %s) AS n
            """,
            [task, json.dumps(kwargs or {}), trigger, executor, rerun_if_interrupted, count],
        )
        cursor.execute("ANALYZE scheduler_job, django_apscheduler_djangojob")


def node(*, threads: int, **changes: Any) -> Any:
    """Return a node on the scratch database, to be started by the caller."""
    from scheduler import conf
    from scheduler.engine.node import Node
    from scheduler.execution.threads import ThreadPool

    settings = dataclasses.replace(conf.get(), threads=threads, **changes)

    def pool(name: str, report: Any, publish: Any, identity: Any) -> ThreadPool:
        return ThreadPool(name=name, size=threads, report=report, publish=publish, identity=identity, max_stuck=20)

    return Node(settings=settings, executors={"default": pool})
