from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from psycopg2.sql import SQL, Identifier

from scheduler.core.states import RunState
from scheduler.models import Job, Run
from scheduler.services import jobs
from tests.integration.governing.conftest import StartNode, finished
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

EXECUTORS = pytest.mark.parametrize("executor", ["default", "processpool"])


class TestTheLog:
    @EXECUTORS
    def test_has_what_the_task_logged_with_levels(
        self, start_node: StartNode, job_of: Callable[..., Job], executor: str
    ) -> None:
        start_node(processes=1)

        run = finished(jobs.run_now(job=job_of("governed.talk", executor=executor, name="ann", lines=2)))

        lines = [line.split(" ", 1)[1] for line in run.log.splitlines()]
        assert lines == [
            "INFO    tests.sample_app.governed: ann says 0",
            "WARNING task.governed.talk: ann warns 0",
            "INFO    tests.sample_app.governed: ann says 1",
            "WARNING task.governed.talk: ann warns 1",
            "INFO    tests.sample_app.governed: ann has help",
        ]

    def test_does_not_mix_runs_that_go_on_side_by_side(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        names = [f"name{number:02d}" for number in range(50)]
        queued = {name: jobs.run_now(job=job_of("governed.talk", name=name, lines=20)) for name in names}
        start_node(threads=10)

        for name, run in queued.items():
            log = finished(run).log
            assert log.count(f"{name} ") == 41
            assert not any(other in log for other in names if other != name)

    def test_keeps_what_a_child_prints(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        start_node(processes=1)

        run = finished(jobs.run_now(job=job_of("governed.print", executor="processpool")))

        assert [line.split(" ", 1)[1] for line in run.log.splitlines()] == [
            "PRINT   stdout: printed by the child",
            "PRINT   stdout: without an end",
        ]

    def test_makes_odd_characters_visible(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        start_node()

        run = finished(jobs.run_now(job=job_of("governed.say_odd_things")))

        assert run.state == RunState.SUCCEEDED
        assert "nul ␀ escape ␛[31m bell ␇ end" in run.log

    def test_is_seen_while_the_run_runs(
        self, start_node: StartNode, job_of: Callable[..., Job], tmp_path: Path
    ) -> None:
        start_node()
        until = tmp_path / "until"
        run = jobs.run_now(job=job_of("governed.report_and_wait", until=str(until)))

        def seen() -> bool:
            run.refresh_from_db()
            return run.state == RunState.RUNNING and "half of it" in run.log and run.progress is not None

        wait_until(seen)
        assert run.progress == {"done": 1, "total": 2, "message": "half"}
        until.touch()
        assert finished(run).state == RunState.SUCCEEDED


class TestProgress:
    @EXECUTORS
    def test_ends_with_the_last_word(self, start_node: StartNode, job_of: Callable[..., Job], executor: str) -> None:
        start_node(processes=1)

        run = finished(jobs.run_now(job=job_of("governed.report", executor=executor, steps=1000)))

        assert run.progress == {"done": 1000, "total": 1000, "message": "step 1000"}

    @EXECUTORS
    def test_that_cannot_be_written_down_costs_neither_the_run_nor_its_place(
        self, start_node: StartNode, job_of: Callable[..., Job], executor: str
    ) -> None:
        start_node(threads=1, processes=1)

        run = finished(jobs.run_now(job=job_of("governed.report_nonsense", executor=executor)))
        after = finished(jobs.run_now(job=job_of("sample.nothing", executor=executor)))

        assert (run.state, after.state) == (RunState.SUCCEEDED, RunState.SUCCEEDED)
        assert run.progress["total"] == "nan"
        assert run.progress["message"].startswith("(its message could not be read")


class TestTheResult:
    @EXECUTORS
    def test_converts_what_json_does_not_know(
        self, start_node: StartNode, job_of: Callable[..., Job], executor: str
    ) -> None:
        start_node(processes=1)

        run = finished(jobs.run_now(job=job_of("governed.many_types", executor=executor)))

        assert run.result == {
            "at": "2027-03-01T12:00:00Z",
            "id": "12345678-1234-5678-1234-567812345678",
            "price": "1.50",
            "not_a_number": "nan",
        }

    @EXECUTORS
    def test_is_cut_when_it_is_huge(self, start_node: StartNode, job_of: Callable[..., Job], executor: str) -> None:
        start_node(processes=1)

        run = finished(jobs.run_now(job=job_of("governed.huge", executor=executor, megabytes=200)))

        assert run.state == RunState.SUCCEEDED
        assert run.result["cut"] is True
        assert run.result["bytes"] == 200 * 1024 * 1024 + 2
        assert len(json.dumps(run.result)) < 64 * 1024

    def test_that_cannot_be_written_down_does_not_fail_the_run(
        self, start_node: StartNode, job_of: Callable[..., Job]
    ) -> None:
        start_node()

        run = finished(jobs.run_now(job=job_of("governed.unserializable")))

        assert run.state == RunState.SUCCEEDED
        assert run.result["unserializable"] == "object"

    def test_of_a_coroutine_is_what_it_returns(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        start_node()

        assert finished(jobs.run_now(job=job_of("governed.asquare", number=7))).result == 49


class TestTheError:
    @EXECUTORS
    def test_keeps_the_cause_and_loses_only_what_cannot_be_stored(
        self, start_node: StartNode, job_of: Callable[..., Job], executor: str
    ) -> None:
        start_node(processes=1)

        run = finished(jobs.run_now(job=job_of("governed.raise_odd", executor=executor)))

        assert run.state == RunState.FAILED
        assert run.error == "ValueError: nul \ufffd and \ufffd"
        assert "KeyError: 'the cause'" in run.traceback
        assert "The above exception was the direct cause" in run.traceback


class TestASecret:
    SECRET = 'hunter2-"the\\secret"-of-anna'

    @EXECUTORS
    @pytest.mark.parametrize("then", ["return", "raise"])
    def test_is_in_no_table(self, start_node: StartNode, job_of: Callable[..., Job], executor: str, then: str) -> None:
        start_node(processes=1)
        job = job_of("governed.use_secret", executor=executor, token=self.SECRET, then=then)

        run = finished(jobs.run_now(job=job))

        assert run.state == (RunState.SUCCEEDED if then == "return" else RunState.FAILED)
        assert "the token is •••" in run.log
        assert run.progress["message"] == "trying •••"
        assert "•••" in (json.dumps(run.result, ensure_ascii=False) if then == "return" else run.error or "")
        for table in ("scheduler_job", "scheduler_run", "django_apscheduler_djangojob"):
            with connection.cursor() as cursor:
                cursor.execute(
                    SQL("SELECT count(*) FROM {} AS t WHERE t::text LIKE %s").format(Identifier(table)),
                    ["%hunter2%"],
                )
                assert cursor.fetchone()[0] == 0
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM django_apscheduler_djangojob WHERE position(%s::bytea in job_state) > 0",
                [b"hunter2"],
            )
            assert cursor.fetchone()[0] == 0

    def test_stays_readable_for_the_task_after_an_edit(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        job = job_of("governed.use_secret", token=self.SECRET)
        jobs.update(job=job, kwargs={"token": Job.objects.get(pk=job.pk).kwargs["token"], "then": "return"})
        start_node()

        assert finished(jobs.run_now(job=job)).state == RunState.SUCCEEDED


class TestChangesWhileItRuns:
    def test_leave_the_running_one_as_it_was(
        self, start_node: StartNode, job_of: Callable[..., Job], tmp_path: Path
    ) -> None:
        start_node()
        first_until, second_until = tmp_path / "first", tmp_path / "second"
        job = job_of("sample.wait", until=str(first_until))
        first = jobs.run_now(job=job)
        wait_until(lambda: Run.objects.filter(pk=first.pk, state=RunState.RUNNING).exists())

        jobs.update(job=job, kwargs={"until": str(second_until)})
        first_until.touch()

        assert finished(first).kwargs == {"until": str(first_until)}
        second = jobs.run_now(job=job)
        assert second.kwargs == {"until": str(second_until)}
        second_until.touch()
        finished(second)

    def test_a_deleted_job_leaves_a_readable_history(
        self, start_node: StartNode, job_of: Callable[..., Job], tmp_path: Path
    ) -> None:
        start_node()
        until = tmp_path / "until"
        job = job_of("sample.wait", until=str(until))
        run = jobs.run_now(job=job)
        wait_until(lambda: Run.objects.filter(pk=run.pk, state=RunState.RUNNING).exists())

        jobs.remove(job=job)
        until.touch()

        ended = finished(run)
        assert ended.state == RunState.SUCCEEDED
        assert ended.job_id is None
        assert ended.job_key == job.pk
        assert ended.job_name == job.name
