"""
Rows of many jobs in a few statements: for imports, declarations and templates.

Every function runs in its caller's transaction and notes one author for all of its jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from itertools import repeat
from operator import is_
from typing import Any, NamedTuple

from django.contrib.postgres.fields import ArrayField
from django.db.models import CharField, Field, JSONField, TextField
from django_apscheduler.models import DjangoJob

from scheduler.models import Job
from scheduler.store import calendars, database
from scheduler.store.jobs import authorship, newer_rules, rows
from scheduler.store.jobs.authorship import Author
from scheduler.store.stock import legacy_state
from scheduler.untouched import json

_ROWS_AT_ONCE = 1000
"""New rows in one statement: half a megabyte of text."""


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
        for job, state in zip(new, legacy_state.dump_many(new), strict=True):
            job.djangojob_ptr_id, job.job_state = job.id, state
        with database.cursor() as cursor:
            for start in range(0, len(new), _ROWS_AT_ONCE):
                chunk = new[start : start + _ROWS_AT_ONCE]
                for model in (DjangoJob, Job):
                    shared, own = _divided(model, chunk)
                    cursor.execute(_insert(model, tuple(own)), [json.dumps(shared), *own.values()])
    return frozenset(before)


def _divided(model: type[DjangoJob], jobs: Sequence[Job]) -> tuple[dict[str, Any], dict[str, list[str | None]]]:
    """Return the columns that have one value in all of these jobs, as JSON, and the texts of the few others."""
    shared: dict[str, Any] = {}
    own: dict[str, list[str | None]] = {}
    rows_of = [vars(job) for job in jobs]
    for field in model._meta.local_concrete_fields:
        values = [row[field.attname] for row in rows_of]
        if not field.primary_key and _is_one(values, is_json=isinstance(field, JSONField)):
            shared[field.column] = _as_json(values[0])
        else:
            own[field.column] = [None if value is None else _as_text(value, field) for value in values]
    return shared, own


def _is_one(values: list[Any], *, is_json: bool) -> bool:
    """Return whether all are the same. In JSON 1 and true are not, although Python takes them for equal."""
    if all(map(is_, values, repeat(values[0]))):
        return True
    return len(set(map(repr, values))) == 1 if is_json else values.count(values[0]) == len(values)


def _as_text(value: Any, field: Field[Any, Any]) -> str:
    """Return a value as PostgreSQL reads it."""
    if isinstance(field, JSONField):
        return str(json.dumps(value))
    if isinstance(field, ArrayField):
        quoted = ('"{}"'.format(each.replace("\\", "\\\\").replace('"', '\\"')) for each in value)
        return f"{{{','.join(quoted)}}}"
    return str(_as_json(value))


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


@lru_cache(maxsize=64)
def _insert(model: type[DjangoJob], own: tuple[str, ...]) -> str:
    """
    Return the statement that writes new rows: their common columns as JSON once, and an array of each other column.

    The ORM takes ten times as long to render them, and to read a row from JSON costs the server a look for each column.
    """
    table = model._meta.db_table
    fields = {field.column: field for field in model._meta.local_concrete_fields}
    values = (_cast(fields[column]) if column in own else f'shared."{column}"' for column in fields)
    names = ", ".join(f'"{column}"' for column in fields)
    arrays = ", ".join(["%s::text[]"] * len(own))
    columns = ", ".join(f'"{column}"' for column in own)
    return (
        f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} "  # noqa: S608 - names of our own tables and columns
        f"FROM jsonb_populate_record(NULL::{table}, %s::jsonb) AS shared, unnest({arrays}) AS given ({columns})"
    )


def _cast(field: Field[Any, Any]) -> str:
    """Return the text of a column as a value of its type. A cast to a limited length would cut what is too long."""
    value = f'given."{field.column}"'
    if isinstance(field, CharField | TextField):
        return value
    return f"{value}::{'text[]' if isinstance(field, ArrayField) else field.db_type(database.connection())}"


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
