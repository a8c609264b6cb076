"""The runs of a job that was deleted: listed in order, and found by their index."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from scheduler.core.states import RunState
from scheduler.models import Job, Run
from scheduler.services import jobs
from scheduler.services.queries import run_queries
from scheduler.services.queries.run_queries import RunFilter
from tests.ledger import NOON, add_job, add_run

pytestmark = pytest.mark.django_db


def listed(job: str, **criteria: object) -> list[tuple[int, int]]:
    found = run_queries.runs(filter=RunFilter(job=job, **criteria))  # type: ignore[arg-type]
    return [(round((run.scheduled_at - NOON).total_seconds() / 60), run.attempt) for run in found]


def removed(minutes: dict[int, int]) -> Job:
    """Delete a job with a run at each of these minutes after noon, and with so many attempts."""
    job = add_job("gone")
    for minute, attempts in minutes.items():
        for attempt in range(1, attempts + 1):
            state = RunState.FAILED if attempt < attempts else RunState.SUCCEEDED
            error = "ValueError: no" if state is RunState.FAILED else None
            add_run(job, scheduled_at=NOON + timedelta(minutes=minute), attempt=attempt, state=state, error=error)
    jobs.remove(job=job)
    return job


class TestTheRunsOfADeletedJob:
    def test_are_listed_by_their_fire_times_and_attempts(self) -> None:
        removed({5: 1, 1: 3, 9: 1})

        assert listed("gone") == [(9, 1), (5, 1), (1, 3), (1, 2), (1, 1)]
        assert listed("gone", states=("failed",)) == [(1, 2), (1, 1)]

    def test_come_page_by_page(self) -> None:
        removed(dict.fromkeys(range(5), 1))
        criteria = RunFilter(job="gone")

        first = run_queries.page(filter=criteria, limit=3)
        second = run_queries.page(filter=criteria, limit=3, cursor=first.next or "")

        assert [run.scheduled_at.minute for run in (*first.rows, *second.rows)] == [4, 3, 2, 1, 0]
        assert second.next is None

    def test_are_all_listed_while_some_are_not_detached_yet(self) -> None:
        removed({1: 1, 2: 1, 3: 1})
        Run.objects.filter(scheduled_at=NOON + timedelta(minutes=2)).update(job_id="gone")

        assert sorted(listed("gone")) == [(1, 1), (2, 1), (3, 1)]

    def test_are_found_by_their_index(self) -> None:
        removed({1: 2})
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO scheduler_run SELECT copy.* FROM (SELECT * FROM scheduler_run LIMIT 1) AS original,"
                " generate_series(1, 5000) AS n, jsonb_populate_record(NULL::scheduler_run, to_jsonb(original)"
                " || jsonb_build_object('id', original.id + 10 + n, 'job_key', 'job-' || n % 100,"
                " 'job_id', CASE WHEN n % 2 = 0 THEN 'job-' || n % 100 END,"
                " 'scheduled_at', to_jsonb(now() + n * interval '1 second'))) AS copy"
            )
            cursor.execute("ANALYZE scheduler_run")

        plan = run_queries.runs(filter=RunFilter(job="gone"))[:50].explain()

        assert "scheduler_run_of_removed_job" in plan
        assert "Seq Scan" not in plan
