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

    def test_detaches_no_run_of_a_job_that_exists(self, session: Connection) -> None:
        job = add_job()
        Run.of(job, scheduled_at=NOON, now=NOON).save()
        RemovedJob.objects.create(job_key="job")

        assert removals.detach(session) == 0
        assert Run.objects.get().job_id == "job"
