"""A job that was deleted and restored has its past runs again, however many there are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from scheduler.models import Change, Job, RestoredJob, Run
from scheduler.services import jobs
from scheduler.services.jobs import restoring
from scheduler.services.queries import overview
from scheduler.store.cleaning import removals, restorations
from scheduler.store.sessions.connections import Connection
from tests.ledger import MINUTE, NOON, SECOND, add_job

pytestmark = pytest.mark.django_db(transaction=True)

HOURLY = {"type": "interval", "hours": 1}


@pytest.fixture(autouse=True)
def afterwards() -> Iterator[None]:
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE scheduler_run, scheduler_restored, scheduler_removed")


def past(job: Job, *, runs: int, attempts: int = 1, **values: object) -> None:
    Run.objects.bulk_create(
        (
            Run.of(
                job,
                scheduled_at=NOON - n * SECOND,
                now=NOON,
                attempt=attempt + 1,
                **{
                    "kind": "retry" if attempt else "scheduled",
                    "state": "succeeded",
                    "finished_at": NOON,
                    **values,
                },
            )
            for n in range(runs)
            for attempt in range(attempts)
        ),
        batch_size=5000,
    )


def restore(job: str = "job") -> Job:
    return restoring.restore(change=Change.objects.filter(job_key=job, action="deleted").latest("pk"), actor="anna")


def attach_all(session: Connection) -> None:
    while restorations.attach(session):
        pass


class TestARestoredJob:
    def test_has_the_runs_of_its_past_with_their_attempts(self, session: Connection) -> None:
        past(add_job(task="sample.nothing", trigger=HOURLY), runs=4, attempts=2)
        jobs.remove(job="job")
        assert not Run.objects.filter(job="job").exists()

        restore()

        assert Run.objects.filter(job="job").count() == 8
        assert len(overview.recent(jobs=["job"], count=20)["job"]) == 8
        attach_all(session)
        assert not RestoredJob.objects.exists()

    def test_has_the_newest_at_once_and_the_others_once_a_node_attached_them(self, session: Connection) -> None:
        past(add_job(task="sample.nothing", trigger=HOURLY), runs=2_500)
        jobs.remove(job="job")
        while removals.detach(session):
            pass

        restore()

        assert Run.objects.filter(job="job").count() == restorations.MOST_RUNS
        assert not Run.objects.filter(job=None, scheduled_at__gt=NOON - restorations.MOST_RUNS * SECOND).exists()
        attach_all(session)
        assert (Run.objects.filter(job="job").count(), RestoredJob.objects.exists()) == (2_500, False)

    def test_leaves_the_runs_of_others_alone(self, session: Connection) -> None:
        for id in ("job", "other"):
            past(add_job(id, task="sample.nothing", trigger=HOURLY), runs=3)
            jobs.remove(job=id)

        restore()
        attach_all(session)

        assert Run.objects.filter(job=None).values_list("job_key", flat=True).distinct().get() == "other"

    def test_keeps_one_of_two_runs_of_one_fire_time(self, session: Connection) -> None:
        """A job that was made anew with the id of a deleted one may have had the same fire times."""
        for _ in range(2):
            past(add_job(task="sample.nothing", trigger=HOURLY), runs=3)
            jobs.remove(job="job")

        restore()
        attach_all(session)

        assert Run.objects.filter(job="job").count() == 3
        assert Run.objects.filter(job=None, job_key="job").count() == 3

    def test_that_is_deleted_again_meanwhile_keeps_none(self, session: Connection) -> None:
        past(add_job(task="sample.nothing", trigger=HOURLY), runs=1_500)
        jobs.remove(job="job")
        restore()
        jobs.remove(job="job")

        attach_all(session)

        assert (Run.objects.filter(job="job").count(), RestoredJob.objects.exists()) == (0, False)

    def test_shares_no_past_with_a_job_that_is_made_anew(self, session: Connection) -> None:
        past(add_job(task="sample.nothing", trigger=HOURLY), runs=3)
        jobs.remove(job="job")
        jobs.create(id="job", task="sample.nothing", trigger=HOURLY)

        attach_all(session)

        assert not Run.objects.filter(job="job").exists()

    def test_does_not_run_a_fire_time_again(self, session: Connection) -> None:
        job = add_job(task="sample.nothing", trigger=HOURLY, due_at=NOON + 5 * MINUTE)
        past(job, runs=1)
        jobs.remove(job="job")

        restored = restore()

        assert restored.next_run_time is not None
        assert not Run.objects.filter(job="job", scheduled_at=restored.next_run_time).exists()
