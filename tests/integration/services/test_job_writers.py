from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from django.db import connection, connections
from django_apscheduler.models import DjangoJob

from scheduler.errors import (
    SchedulerError,
    StaleVersion,
)
from scheduler.models import Job
from scheduler.services import jobs
from scheduler.store.sessions.notifications import Channel, Hint
from tests.hearing import hearing
from tests.integration.services.nightly import NOW, again, daily, make

pytestmark = pytest.mark.django_db


class TestWritingPastTheServices:
    def test_a_job_made_by_the_models_is_inspected(self) -> None:
        job = Job.objects.create(
            id="a", name="a", task="contract.first", trigger=daily(1), created_at=NOW, updated_at=NOW
        )

        assert again(job).needs_inspection is True

    @pytest.mark.parametrize(
        ("changes", "inspected", "rescheduled"),
        [
            ({"trigger": daily(2)}, True, True),
            ({"task": "contract.second"}, True, False),
            ({"args": [1]}, True, False),
            ({"kwargs": {"a": 1}}, True, False),
            ({"state": "paused"}, True, False),
            ({"state": "broken"}, False, False),
            ({"description": "x", "max_instances": 2}, False, False),
        ],
    )
    def test_what_matters_is_inspected(self, changes: dict[str, Any], inspected: bool, rescheduled: bool) -> None:
        job = make()

        Job.objects.filter(pk=job.pk).update(**changes)

        assert (again(job).needs_inspection, again(job).needs_rescheduling) == (inspected, rescheduled)

    def test_raw_sql_is_seen_as_well(self) -> None:
        job = make()

        with connection.cursor() as cursor:
            cursor.execute('UPDATE scheduler_job SET trigger = \'{"type": "interval", "minutes": 5}\'')

        assert (again(job).needs_inspection, again(job).needs_rescheduling) == (True, True)

    def test_a_service_does_not_hide_what_was_written_before(self) -> None:
        job = make()
        Job.objects.update(trigger=daily(2))

        changed = again(jobs.update(job=job, description="x"))

        assert (changed.needs_inspection, changed.needs_rescheduling) == (True, True)


@pytest.mark.django_db(transaction=True)
class TestWakeUps:
    @pytest.fixture
    def heard(self) -> Iterator[Callable[[], set[Hint]]]:
        """Whether something was heard since it was asked last."""
        with hearing() as heard:
            yield heard

    def test_every_change_of_a_definition_wakes_the_nodes(self, heard: Callable[[], set[Hint]]) -> None:
        only_jobs = {Hint(Channel.JOBS)}
        job = make()
        assert heard() == only_jobs
        jobs.update(job=job, trigger=daily(2))
        assert heard() == only_jobs
        jobs.pause(job=job)
        assert heard() == only_jobs
        jobs.resume(job=job)
        assert heard() == only_jobs
        Job.objects.update(priority=3)
        assert heard() == only_jobs
        with connection.cursor() as cursor:
            cursor.execute("UPDATE scheduler_job SET max_instances = 2")
        assert heard() == only_jobs
        jobs.remove(job=job)
        assert Hint(Channel.JOBS) in heard()

    def test_a_manual_run_wakes_them_for_the_run(self, heard: Callable[[], set[Hint]]) -> None:
        job = make()
        heard()

        jobs.run_now(job=job)

        assert heard() == {Hint(Channel.RUNS, "default")}

    def test_what_a_claim_writes_wakes_nobody(self, heard: Callable[[], set[Hint]]) -> None:
        make()
        heard()

        DjangoJob.objects.update(next_run_time=NOW)

        assert heard() == set()


@pytest.mark.django_db(transaction=True)
class TestTwoPeopleAtOnce:
    def together(self, *calls: Callable[[], Any]) -> list[Any]:
        """Call each in a thread and a session of its own, from one starting line; return results or errors."""
        line = threading.Barrier(len(calls))
        results: list[Any] = [None] * len(calls)

        def run(place: int, call: Callable[[], Any]) -> None:
            try:
                line.wait(timeout=120)
                results[place] = call()
            except (SchedulerError, psycopg2.Error) as error:
                results[place] = error
            finally:
                connections.close_all()

        threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=120)
        return results

    def test_one_edit_of_a_version_wins(self) -> None:
        job = make()

        results = self.together(
            lambda: jobs.update(job=job, name="Ada's", version=1), lambda: jobs.update(job=job, name="Bob's", version=1)
        )

        winners = [result.name for result in results if isinstance(result, Job)]
        assert len(winners) == 1
        assert [type(result) for result in results if not isinstance(result, Job)] == [StaleVersion]
        assert (again(job).name, again(job).version) == (winners[0], 2)

    def test_edits_of_different_things_both_stay(self) -> None:
        job = make()

        self.together(lambda: jobs.update(job=job, name="New"), lambda: jobs.update(job=job, priority=7))

        assert (again(job).name, again(job).priority, again(job).version) == ("New", 7, 3)

    def test_one_pause_wins(self) -> None:
        job = make()

        results = self.together(lambda: jobs.pause(job=job), lambda: jobs.pause(job=job))

        assert sorted(type(result).__name__ for result in results) == ["AlreadyPaused", "Job"]

    def test_two_processes_may_declare_one_job(self) -> None:
        results = self.together(lambda: make(replace_existing=True), lambda: make(replace_existing=True))

        assert [result.pk for result in results] == ["nightly", "nightly"]
        assert Job.objects.count() == 1
