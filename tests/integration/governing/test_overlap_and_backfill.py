from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from scheduler.core.states import RunKind, RunState
from scheduler.errors import InvalidWindow
from scheduler.models import Job, Run
from scheduler.services import jobs, runs
from tests.integration.governing.conftest import StartNode, finished
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


class TestOverlap:
    def test_skip_records_what_it_skips(self, start_node: StartNode, tmp_path: Path) -> None:
        until = tmp_path / "until"
        job = jobs.create(task="sample.wait", kwargs={"until": str(until)}, trigger={"type": "interval", "seconds": 1})
        start_node()

        wait_until(lambda: Run.objects.filter(job=job, state=RunState.SKIPPED).count() >= 2)

        until.touch()
        assert Run.objects.filter(job=job, state=RunState.RUNNING).count() <= 1
        reasons = {run.reason for run in Run.objects.filter(job=job, state=RunState.SKIPPED)}
        assert reasons == {"1 run of this job is still active; max_instances is 1."}

    def test_queue_lets_one_run_wait_that_stands_for_all(self, start_node: StartNode, tmp_path: Path) -> None:
        until = tmp_path / "until"
        job = jobs.create(
            task="sample.wait",
            kwargs={"until": str(until)},
            trigger={"type": "interval", "seconds": 1},
            overlap="queue",
        )
        start_node()
        waiting = Run.objects.filter(job=job, held=True)

        wait_until(lambda: waiting.filter(coalesced__gte=2).exists())

        held = waiting.get()
        assert held.covers_from is not None
        expected = (held.scheduled_at - held.covers_from) / timedelta(seconds=1) + 1
        assert held.coalesced + 1 == expected
        jobs.pause(job=job)
        until.touch()
        assert finished(held).state == RunState.SUCCEEDED
        assert not Run.objects.filter(job=job, state=RunState.SKIPPED).exists()

    def test_a_fire_time_waits_for_a_manual_run(self, start_node: StartNode, tmp_path: Path) -> None:
        until = tmp_path / "until"
        job = jobs.create(task="sample.wait", kwargs={"until": str(until)}, trigger={"type": "interval", "hours": 1})
        start_node()
        manual = jobs.run_now(job=job)
        wait_until(lambda: Run.objects.filter(pk=manual.pk, state=RunState.RUNNING).exists())
        Job.objects.filter(pk=job.pk).update(next_run_time=datetime.now(UTC))

        held = wait_until(lambda: Run.objects.filter(job=job, kind=RunKind.SCHEDULED).first())

        assert held is not None
        assert held.held
        jobs.pause(job=job)
        until.touch()
        assert finished(held).state == RunState.SUCCEEDED

    def test_a_manual_run_waits_for_its_turn(
        self, start_node: StartNode, job_of: Callable[..., Job], tmp_path: Path
    ) -> None:
        until = tmp_path / "until"
        job = job_of("sample.wait", until=str(until))
        first, second = jobs.run_now(job=job), jobs.run_now(job=job)
        start_node()

        wait_until(lambda: Run.objects.filter(pk=first.pk, state=RunState.RUNNING).exists())

        second.refresh_from_db()
        assert second.held
        assert second.state == RunState.QUEUED
        until.touch()
        assert finished(second).state == RunState.SUCCEEDED


class TestRunNow:
    def test_takes_other_arguments_and_moves_nothing(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        job = job_of("sample.square", number=2)
        start_node()

        run = finished(jobs.run_now(job=job, kwargs={"number": 5}))

        assert run.result["square"] == 25
        assert Job.objects.get(pk=job.pk).next_run_time == job.next_run_time
        assert Job.objects.get(pk=job.pk).kwargs == {"number": 2}


class TestRetryOfAFinishedRun:
    def test_is_a_further_attempt_with_the_same_arguments(
        self, start_node: StartNode, job_of: Callable[..., Job]
    ) -> None:
        job = job_of("governed.fail_until", attempt=2)
        start_node()
        failed = finished(jobs.run_now(job=job))

        again = finished(runs.retry(run=failed, actor="anna"))

        assert again.attempt == 2
        assert again.previous_id == failed.pk
        assert again.requested_by == "anna"
        assert again.state == RunState.SUCCEEDED


class TestBackfill:
    NOW = datetime(2027, 3, 1, 12, 30, tzinfo=UTC)

    def hourly(self) -> Job:
        return jobs.create(
            id="hourly",
            task="sample.nothing",
            trigger={"type": "cron", "expression": "0 * * * *"},
            now=datetime(2027, 2, 1, tzinfo=UTC),
        )

    def test_queues_the_fire_times_that_have_no_run_oldest_first(self) -> None:
        job = self.hourly()
        first = datetime(2027, 3, 1, 8, tzinfo=UTC)

        found = runs.backfill(job=job, since=first, until=first + 3 * HOUR, now=self.NOW)
        again = runs.backfill(job=job, since=first - HOUR, until=first + 3 * HOUR, now=self.NOW)

        assert (found.fire_times, found.queued, found.first, found.last) == (4, 4, first, first + 3 * HOUR)
        assert (again.fire_times, again.queued) == (5, 1)
        queued = Run.objects.filter(job=job).order_by("scheduled_at")
        assert [run.scheduled_at for run in queued] == [first + hours * HOUR for hours in range(-1, 4)]
        assert {run.priority for run in queued} == {runs.BACKFILL_PRIORITY}

    def test_dry_run_queues_nothing(self) -> None:
        job = self.hourly()

        found = runs.backfill(job=job, since=self.NOW - 5 * HOUR, until=self.NOW, dry_run=True, now=self.NOW)

        assert found.queued == 5
        assert not Run.objects.exists()

    def test_refuses_a_window_in_the_future_or_turned_round(self) -> None:
        job = self.hourly()

        with pytest.raises(InvalidWindow, match="ends in the future"):
            runs.backfill(job=job, since=self.NOW, until=self.NOW + HOUR, now=self.NOW)
        with pytest.raises(InvalidWindow, match="before it begins"):
            runs.backfill(job=job, since=self.NOW, until=self.NOW - HOUR, now=self.NOW)
        with pytest.raises(InvalidWindow, match="more than 2 fire times"):
            runs.backfill(job=job, since=self.NOW - 9 * HOUR, until=self.NOW, limit=2, now=self.NOW)

    def test_runs_one_after_the_other(self, start_node: StartNode) -> None:
        job = jobs.create(
            task="sample.nothing", trigger={"type": "cron", "expression": "0 * * * *"}, misfire_grace_time=None
        )
        until = datetime.now(UTC) - HOUR
        runs.backfill(job=job, since=until - 6 * HOUR, until=until)
        start_node()

        succeeded = Run.objects.filter(job=job, state=RunState.SUCCEEDED, scheduled_at__lte=until)
        wait_until(lambda: succeeded.count() == 6)

        starts = list(succeeded.order_by("scheduled_at").values_list("started_at", "finished_at"))
        for (_, ended), (began, _) in pairwise(starts):
            assert ended <= began

    def test_command_says_what_it_did(self) -> None:
        job = jobs.create(id="hourly", task="sample.nothing", trigger={"type": "cron", "expression": "0 * * * *"})
        out = StringIO()

        call_command("backfill", job.pk, "--from", "2026-01-01T00:00", "--to", "2026-01-01T05:00", stdout=out)

        assert out.getvalue().startswith("Queued 6 of 6 fire times, from 2026-01-01")

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["nobody", "--from", "2026-01-01"], "There is no job with the id “nobody”."),
            (["hourly", "--from", "yesterday"], "argument --from: “yesterday” is not a time."),
        ],
    )
    def test_command_refuses_with_a_sentence(self, arguments: list[str], sentence: str) -> None:
        self.hourly()

        with pytest.raises(CommandError, match=sentence):
            call_command("backfill", *arguments)
