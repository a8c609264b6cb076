"""
APScheduler's job store on our tables: it writes jobs, and builds the objects that it returns from their JSON columns.

It never unpickles data or imports a name from the database. ``job_state`` is written for readers of the stock job
store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from apscheduler.job import Job as ApschedulerJob
from apscheduler.jobstores.base import BaseJobStore, ConflictingIdError, JobLookupError
from django.db import InterfaceError, OperationalError
from django.db.models import F
from django_apscheduler.jobstores import DjangoJobStore
from django_apscheduler.util import get_django_internal_datetime

from scheduler.core.states import JobState
from scheduler.core.tasks.registry import registry
from scheduler.errors import JobExists, JobNotFound, UnknownTask
from scheduler.models import Job
from scheduler.models.job import JobQuerySet
from scheduler.store import database
from scheduler.store.clock import database_now
from scheduler.store.jobs import rows
from scheduler.store.jobs.authorship import Author
from scheduler.store.stock.apscheduler_jobs import Declaration, edit_columns, new_job, replacement_columns
from scheduler.store.stock.stored_jobs import StoredJob, build

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class PostgresJobStore(DjangoJobStore):
    """
    The job store of ``DurableScheduler``, which serves a stock ``BackgroundScheduler`` as well.

    Beyond APScheduler's contract, functions must be registered tasks and arguments must be JSON. A job that cannot run
    is returned with a function or a trigger that raises the reason, and is never deleted. ``replace_existing`` keeps a
    job's history, its phase if the trigger is the same, and a pause that a person requested.
    """

    _is_shut_down = False

    def start(self, scheduler: Any, alias: str) -> None:
        """Start without the listeners of stock django-apscheduler: the ledger is the history."""
        BaseJobStore.start(self, scheduler, alias)
        self._is_shut_down = False

    def shutdown(self) -> None:
        """
        Close this thread's connection, unless the caller is in the middle of a transaction.

        From now on the store reports no due jobs: the thread of a ``BackgroundScheduler`` asks once more before it
        ends, and would leave a connection behind.
        """
        self._is_shut_down = True
        if not database.connection().in_atomic_block:
            database.connection().close()

    def lookup_job(self, job_id: str) -> StoredJob | None:
        row = _read(_without_pickles().filter(pk=job_id).first)
        return None if row is None else self._build(row)

    def get_due_jobs(self, now: datetime) -> list[StoredJob]:
        """Return the active jobs that are due and can run here, the oldest first."""
        if self._is_shut_down:
            return []
        due = _without_pickles().active().filter(needs_inspection=False, next_run_time__lte=_instant(now))
        runnable = []
        for row in _read(lambda: list(due.order_by("next_run_time", "pk"))):
            if _is_known(row.task):
                runnable.append(self._build(row))
            else:
                logger.warning("Job “%s” is due, but this process does not know its task “%s”.", row.pk, row.task)
        return runnable

    def get_next_run_time(self) -> datetime | None:
        """Return when the next job that can run here is due."""
        if self._is_shut_down:
            return None
        unknown: list[str] = []
        waiting = Job.objects.active().filter(needs_inspection=False, next_run_time__isnull=False)
        while True:
            query = waiting.exclude(task__in=unknown).order_by("next_run_time")
            found = _read(query.values_list("next_run_time", "task").first)
            if found is None:
                return None
            next_run_time, task = found
            if _is_known(task):
                return self._local(next_run_time)
            unknown.append(task)

    def get_all_jobs(self) -> list[StoredJob]:
        """Return every job in the order of due times. Paused, finished and broken jobs come last."""
        query = _without_pickles().order_by(F("next_run_time").asc(nulls_last=True), "pk")
        return [self._build(row) for row in _read(lambda: list(query))]

    def add_job(self, job: ApschedulerJob) -> None:
        """
        Write a new job.

        :raises ConflictingIdError: its id is taken, be it by a row that is not adopted yet
        :raises UnknownTask, InvalidTask, InvalidArguments, InvalidTrigger: naming what cannot be stored
        """
        now = _read(database_now)
        row = new_job(declaration=self._declaration(job), now=now)
        try:
            rows.insert(job=row, author=Author())
        except JobExists:
            raise ConflictingIdError(job.id) from None

    def update_job(self, job: ApschedulerJob) -> None:
        """
        Write the changes of a job that this store returned.

        A job object from elsewhere replaces all columns. Only columns that differ from those that were read are
        written, so that concurrent edits of others stay.

        :raises JobLookupError: the job does not exist
        :raises UnknownTask, InvalidTask, InvalidArguments, InvalidTrigger: the job is unchanged
        """
        _read(database_now)
        with database.atomic():
            try:
                row = rows.lock(id=job.id)
            except JobNotFound:
                self._take_over(job, database_now())
                return
            now = database_now()
            if isinstance(job, StoredJob):
                changes = edit_columns(row=row, changed=job.changed(), declaration=self._declaration(job), now=now)
            else:
                changes = replacement_columns(row=row, declaration=self._declaration(job), now=now)
            if changes:
                rows.save(job=row, changes=changes, author=Author(), now=now)

    def finish_job(self, job_id: str) -> None:
        """
        Mark a job as finished: it has no further fire time, and stays visible.

        :raises JobLookupError: the job does not exist
        """
        _read(database_now)
        with database.atomic():
            try:
                row = rows.lock(id=job_id)
            except JobNotFound:
                raise JobLookupError(job_id) from None
            now = database_now()
            rows.save(job=row, changes=rows.due(None), author=Author(), now=now)

    def remove_job(self, job_id: str) -> None:
        """
        Delete the job. Its history stays.

        :raises JobLookupError: the job does not exist
        """
        _read(database_now)
        with database.atomic():
            try:
                rows.delete(job=rows.lock(id=job_id), author=Author())
            except JobNotFound:
                raise JobLookupError(job_id) from None

    def remove_all_jobs(self) -> None:
        """Delete every job. Rows of stock django-apscheduler that are not adopted stay."""
        _read(database_now)
        with database.atomic():
            rows.delete_many(jobs=Job.objects.all(), author=Author())

    def _take_over(self, job: ApschedulerJob, now: datetime) -> None:
        """The same code that stock once stored declares its job again: its row becomes ours, unread."""
        if isinstance(job, StoredJob) or not rows.is_unadopted(id=job.id):
            raise JobLookupError(job.id)
        rows.take_over(job=new_job(declaration=self._declaration(job), now=now), author=Author())

    def _build(self, row: Job) -> StoredJob:
        return build(row=row, scheduler=self._scheduler, alias=self._alias, next_run_time=self._local(_due_at(row)))

    def _declaration(self, job: ApschedulerJob) -> Declaration:
        moment = getattr(job, "next_run_time", None)
        return Declaration(job=job, next_run_time=None if moment is None else _instant(moment))

    def _local(self, moment: datetime | None) -> datetime | None:
        """Write an instant on the scheduler's clock, as APScheduler does."""
        return None if moment is None else moment.astimezone(getattr(self._scheduler, "timezone", None) or UTC)


def _without_pickles() -> JobQuerySet:
    """Return every job without the pickle, which this module never reads."""
    rows: JobQuerySet = Job.objects.defer("job_state")
    return rows


def _due_at(row: Job) -> datetime | None:
    return row.next_run_time if row.state == JobState.ACTIVE else None


def _instant(moment: datetime) -> datetime:
    aware: datetime = get_django_internal_datetime(moment)
    return aware.astimezone(UTC)


def _is_known(task: str) -> bool:
    try:
        registry.get(task)
    except UnknownTask:
        return False
    return True


def _read(query: Callable[[], Answer]) -> Answer:
    """
    Query the database, a second time if this thread's connection had become stale.

    For reading only: whether a write took effect when the connection broke is unknown.
    """
    try:
        return query()
    except (OperationalError, InterfaceError):
        if database.connection().in_atomic_block:
            raise
        database.connection().close()
        return query()
