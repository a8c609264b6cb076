from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from scheduler.core.states import JobState, RunKind, RunState
from scheduler.models import Job, Run
from scheduler.services import jobs
from tests.integration.governing.conftest import StartNode, finished
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def attempts(job: Job) -> list[Run]:
    return list(Run.objects.filter(job=job).order_by("attempt"))


class TestARetry:
    def test_is_a_new_run_linked_to_the_one_that_failed(
        self, start_node: StartNode, job_of: Callable[..., Job]
    ) -> None:
        job = job_of("governed.fail_until", attempt=3, max_retries=5, retry_delay=0.1, retry_backoff=1)
        first = jobs.run_now(job=job, actor="anna")
        start_node()

        wait_until(lambda: Run.objects.filter(job=job, state=RunState.SUCCEEDED).exists())

        one, two, three = attempts(job)
        assert [one.state, two.state, three.state] == [RunState.FAILED, RunState.FAILED, RunState.SUCCEEDED]
        assert [two.kind, three.kind] == [RunKind.RETRY, RunKind.RETRY]
        assert [two.previous_id, three.previous_id] == [first.pk, two.pk]
        assert {one.scheduled_at, two.scheduled_at, three.scheduled_at} == {first.scheduled_at}
        assert three.result == "attempt 3"
        assert three.requested_by == "anna"

    def test_ends_in_failed_when_there_are_no_more(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        job = job_of("governed.fail_until", attempt=9, max_retries=1, retry_delay=0)
        jobs.run_now(job=job)
        start_node()

        wait_until(lambda: Run.objects.filter(job=job, attempt=2, state=RunState.FAILED).exists())

        job.refresh_from_db()
        assert [run.state for run in attempts(job)] == [RunState.FAILED, RunState.FAILED]
        assert job.consecutive_failures == 1

    def test_waits_for_its_delay_without_a_node(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        job = job_of("governed.fail_until", attempt=2, max_retries=1, retry_delay=600, retry_jitter=0)
        first = finished_first = jobs.run_now(job=job)
        start_node()
        finished_first = finished(first)

        retry = wait_until(lambda: Run.objects.filter(job=job, attempt=2).first())

        assert retry is not None
        assert retry.state == RunState.QUEUED
        assert retry.node is None
        assert finished_first.finished_at is not None
        assert 540 <= (retry.due_at - finished_first.finished_at).total_seconds() <= 660

    def test_does_not_swallow_the_next_fire_time(self, start_node: StartNode) -> None:
        job = jobs.create(
            task="governed.fail_until",
            kwargs={"attempt": 9},
            trigger={"type": "interval", "hours": 1},
            max_retries=5,
            retry_delay=300,
        )
        start_node()
        failed = Run.objects.filter(job=job, kind=RunKind.SCHEDULED, state=RunState.FAILED)

        for count in (1, 2):
            Job.objects.filter(pk=job.pk).update(next_run_time=timezone.now())
            wait_until(lambda count=count: failed.count() == count)

        assert not Run.objects.filter(job=job, state=RunState.SKIPPED).exists()

    def test_waits_for_its_turn(self, start_node: StartNode, job_of: Callable[..., Job], tmp_path: object) -> None:
        job = job_of("governed.fail_until", attempt=2, max_retries=1, retry_delay=0)
        jobs.run_now(job=job)
        other = Run.objects.create(
            job=job,
            job_key=job.pk,
            job_name=job.name,
            task="nobody.has_this",
            executor="default",
            scheduled_at=job.created_at,
            due_at=job.created_at,
            created_at=job.created_at,
        )
        Job.objects.filter(pk=job.pk).update(max_instances=2)
        start_node()
        wait_until(lambda: Run.objects.filter(job=job, attempt=2, state=RunState.SUCCEEDED).exists())
        assert other.state == RunState.QUEUED

    def test_is_asked_for_by_the_task(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        job = job_of("governed.come_back", after=0.1, attempt=3)
        jobs.run_now(job=job)
        start_node()

        done = wait_until(lambda: Run.objects.filter(job=job, state=RunState.SUCCEEDED).first())

        assert done is not None
        assert done.attempt == 3
        assert attempts(job)[0].error == "Retry: the site asks to wait"


class TestPauseAfterFailures:
    def test_pauses_with_the_reason(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        job = job_of("governed.fail_until", attempt=9, pause_after_failures=2)
        start_node()
        finished(jobs.run_now(job=job))
        job.refresh_from_db()
        assert job.state == JobState.ACTIVE

        finished(jobs.run_now(job=job))

        job.refresh_from_db()
        assert job.state == JobState.PAUSED
        assert job.state_reason == "Failed 2 times in a row."
        assert job.next_run_time is None

    def test_forgets_failures_after_a_success(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        job = job_of("governed.fail_until", attempt=9, pause_after_failures=3)
        start_node()
        finished(jobs.run_now(job=job))

        finished(jobs.run_now(job=job, kwargs={"attempt": 1}))

        def failures() -> int:
            job.refresh_from_db()
            return job.consecutive_failures

        wait_until(lambda: failures() == 0)

    def test_starts_counting_anew_when_resumed(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        job = job_of("governed.fail_until", attempt=9, pause_after_failures=1)
        start_node()
        finished(jobs.run_now(job=job))

        resumed = jobs.resume(job=job, actor="anna")

        assert resumed.state == JobState.ACTIVE
        assert resumed.consecutive_failures == 0
