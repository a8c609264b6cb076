"""
Rows of many jobs in a few statements: for imports, declarations and templates.

Every function runs in its caller's transaction and notes one author for all of its jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from django_apscheduler.models import DjangoJob

from scheduler.models import Job
from scheduler.store import calendars, database
from scheduler.store.jobs import authorship, newer_rules, rows
from scheduler.store.jobs.authorship import Author
from scheduler.store.stock import legacy_state
from scheduler.untouched import json

_ROWS_AT_ONCE = 500
"""New rows in one statement: half a megabyte of JSON."""


class Edit(NamedTuple):
    """A job that the caller's transaction has locked, and its new columns."""

    job: Job
    changes: Mapping[str, Any]


def insert_many(*, jobs: Sequence[Job], author: Author) -> frozenset[str]:
    """
    Write new jobs in a few statements and return the ids that are taken: those jobs were not written.

    One author is noted for all of them.
    """
    maintenance = calendars.windows()
    for job in jobs:
        job.trigger = calendars.with_windows(job.trigger, tags=job.tags, among=maintenance)
    newer_rules.mark(jobs=jobs)
    with authorship.of_many(author=author):
        before = set(DjangoJob.objects.filter(pk__in=[job.id for job in jobs]).values_list("pk", flat=True))
        new = [job for job in jobs if job.id not in before]
        for job in new:
            job.djangojob_ptr_id = job.id
            job.job_state = legacy_state.dump(job)
        with database.cursor() as cursor:
            for start in range(0, len(new), _ROWS_AT_ONCE):
                chunk = new[start : start + _ROWS_AT_ONCE]
                for model in (DjangoJob, Job):
                    cursor.execute(_insert(model), [json.dumps([_document(model, job) for job in chunk])])
    return frozenset(before)


def locked(*, ids: Sequence[str]) -> dict[str, Job]:
    """Read jobs and lock them as ``jobs.lock_many`` does. Those that do not exist are left out."""
    rows.lock_many(ids=ids)
    return {job.pk: job for job in Job.objects.defer("job_state").filter(pk__in=ids)}


def save_many(*, edits: Sequence[Edit], author: Author, now: datetime) -> None:
    """
    Write changed columns of jobs as ``jobs.save`` does, in two statements. Each job has one edit.

    Nodes are woken once, and the history gets a row for each job.
    """
    if not edits:
        return
    maintenance = calendars.windows()
    for job, changes in edits:
        rows.set_columns(job=job, changes=changes, author=author, now=now, maintenance=maintenance)
    jobs = [edit.job for edit in edits]
    newer_rules.mark(jobs=jobs)
    with authorship.of_many(author=author), database.cursor() as cursor:
        for model in (DjangoJob, Job):
            cursor.execute(_update(model), [json.dumps([_document(model, job) for job in jobs])])


@cache
def _insert(model: type[DjangoJob]) -> str:
    """Return the statement that writes new rows given as JSON. The ORM takes ten times as long to render them."""
    table = model._meta.db_table
    columns = [f'"{field.column}"' for field in model._meta.local_concrete_fields]
    values = ", ".join(f"given.{column}" for column in columns)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} "  # noqa: S608 - names of our own tables and columns
        f"FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb) AS given"
    )


@cache
def _update(model: type[DjangoJob]) -> str:
    """Return the statement that writes all columns of rows given as JSON. ORM updates of this size take seconds."""
    table, key = model._meta.db_table, model._meta.pk.column
    columns = [field.column for field in model._meta.local_concrete_fields if not field.primary_key]
    assignments = ", ".join(f'"{column}" = given."{column}"' for column in columns)
    return (
        f"UPDATE {table} AS row SET {assignments} "  # noqa: S608 - names of our own tables and columns
        f"FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb) AS given WHERE row.{key} = given.{key}"
    )


def _document(model: type[DjangoJob], job: Job) -> dict[str, Any]:
    return {field.column: _as_json(getattr(job, field.attname)) for field in model._meta.local_concrete_fields}


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return f"\\x{bytes(value).hex()}" if isinstance(value, bytes | memoryview) else value
