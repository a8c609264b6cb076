"""A job of any size is deleted at once; its runs are detached in the background."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from scheduler.errors import JobExists
from scheduler.models import Job, RemovedJob, Run
from scheduler.services import jobs
from scheduler.store.cleaning import removals
from scheduler.store.sessions.connections import Connection
from tests.integration.store.conftest import Open
from tests.integration.store.reading import blocks
from tests.ledger import NOON, SECOND, add_job

HOURLY = {"type": "interval", "hours": 1}
MANY = 25_000


@pytest.fixture
def large(session: Connection) -> Iterator[Job]:
    job = add_job(task="sample.nothing", due_at=None)
    Run.objects.bulk_create(
        (
            Run.of(job, scheduled_at=NOON - n * SECOND, now=NOON, state="succeeded", finished_at=NOON)
            for n in range(MANY)
        ),
        batch_size=5000,
    )
    yield job
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE scheduler_run")


class TestDeletingAJobWithManyRuns:
    def test_detaches_the_newest_at_once_and_the_others_in_the_background(
        self, large: Job, session: Connection
    ) -> None:
        jobs.remove(job=large)

        assert Run.objects.filter(job_id=None).count() == 2000
        assert not Run.objects.filter(job_id=None, scheduled_at__lt=NOON - 2000 * SECOND).exists()
        while removals.detach(session):
            pass
        assert Run.objects.filter(job_id=None, job_key="job").count() == MANY
        assert not RemovedJob.objects.exists()

    def test_keeps_its_id_from_being_used_until_few_runs_are_left(self, large: Job, session: Connection) -> None:
        jobs.remove(job=large)

        with pytest.raises(JobExists, match="still being put aside"):
            jobs.create(id="job", task="sample.nothing", trigger=HOURLY)

        for _ in range(5):
            removals.detach(session)
        jobs.create(id="job", task="sample.nothing", trigger=HOURLY)
        assert not Run.objects.filter(job_id="job").exists()
        assert not RemovedJob.objects.exists()

    def test_goes_on_where_it_ended_and_comes_back_to_runs_that_were_locked(
        self, large: Job, session: Connection, open_session: Open
    ) -> None:
        jobs.remove(job=large)
        oldest = Run.objects.filter(job_id="job").order_by("scheduled_at")
        first, last = oldest[0], oldest.reverse()[0]
        held = open_session().raw()
        held.autocommit = False
        with held.cursor() as cursor:
            cursor.execute("SELECT FROM scheduler_run WHERE id IN (%s, %s) FOR UPDATE", [first.pk, last.pk])

            assert removals.detach(session) == removals.MOST_RUNS - 1
            note = RemovedJob.objects.get()
            assert (note.again, note.since) == (first.scheduled_at, first.scheduled_at + 999 * SECOND)
            while removals.detach(session):
                pass
        assert set(Run.objects.filter(job_id="job")) == {first, last}
        held.rollback()
        while removals.detach(session):
            pass

        assert not Run.objects.filter(job_id="job").exists()
        assert not RemovedJob.objects.exists()

    def test_reads_no_more_while_a_transaction_elsewhere_stays_open(
        self, large: Job, session: Connection, open_session: Open
    ) -> None:
        held = open_session().raw()
        held.autocommit = False
        with held.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        jobs.remove(job=large)
        read = [blocks(session, "detach_runs", scan_of="present", limit=removals.MOST_RUNS) for _ in range(20)]
        held.rollback()

        assert read[-1] < 2 * read[1]

    def test_puts_a_job_with_locked_runs_behind_the_others(
        self, large: Job, session: Connection, open_session: Open
    ) -> None:
        jobs.remove(job=large)
        Run.objects.filter(job_id="job").exclude(pk=Run.objects.filter(job_id="job").latest("id").pk).update(
            job_id=None
        )
        RemovedJob.objects.create(job_key="later")
        held = open_session().raw()
        held.autocommit = False
        with held.cursor() as cursor:
            cursor.execute("SELECT FROM scheduler_run WHERE job_id IS NOT NULL FOR UPDATE")

            assert removals.detach(session) == removals.detach(session) == 0
        held.rollback()

        assert list(RemovedJob.objects.values_list("pk", flat=True)) == ["job"]

    def test_detaches_no_run_of_a_job_that_exists(self, session: Connection) -> None:
        job = add_job()
        Run.of(job, scheduled_at=NOON, now=NOON).save()
        RemovedJob.objects.create(job_key="job")

        assert removals.detach(session) == 0
        assert Run.objects.get().job_id == "job"
