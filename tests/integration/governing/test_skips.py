"""``raise Skip(…)`` in a task: the run ends as skipped, and everything that counts failures is left as it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from django.core.management import call_command

from scheduler.core.alerts.kinds import RuleKind
from scheduler.core.states import RunState
from scheduler.errors import Skip
from scheduler.execution.values import describe_skip
from scheduler.models import Incident, Job, Rollup, Run
from scheduler.services import jobs
from scheduler.services.queries import overview
from scheduler.store import alerts
from scheduler.store.sessions.connections import Connection
from tests.integration.alerts import happenings
from tests.integration.governing.conftest import StartNode, finished
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

JobOf = Callable[..., Job]


class TestARunThatSkips:
    @pytest.mark.parametrize(
        ("task", "executor"),
        [
            ("governed.have_nothing_to_do", "default"),
            ("governed.have_nothing_to_await", "default"),
            ("governed.have_nothing_to_do", "processpool"),
            ("governed.have_nothing_to_await", "processpool"),
        ],
    )
    def test_has_the_text_as_its_reason(self, start_node: StartNode, job_of: JobOf, task: str, executor: str) -> None:
        job = job_of(task, executor=executor, max_retries=3, retry_delay=0)
        start_node(processes=1)

        run = finished(jobs.run_now(job=job))

        assert (run.state, run.reason, run.reason_code) == (RunState.SKIPPED, "nothing new", "left_out_by_task")
        assert (run.error, run.traceback, run.result) == (None, "", None)
        assert run.started_at is not None
        assert run.started_at <= (run.finished_at or run.started_at)
        assert Run.objects.count() == 1

    def test_keeps_its_log(self, start_node: StartNode, job_of: JobOf) -> None:
        start_node()

        run = finished(jobs.run_now(job=job_of("governed.have_nothing_to_do")))

        assert "looked" in run.log

    def test_hides_secrets(self, start_node: StartNode, job_of: JobOf) -> None:
        start_node()

        run = finished(jobs.run_now(job=job_of("governed.keep_the_secret", token="s3cr3t-value")))

        assert run.state == RunState.SKIPPED
        assert "s3cr3t-value" not in str(run.reason)

    @pytest.mark.parametrize("text", ["", "x" * 50_000, "{braces} %s"])
    def test_takes_any_text(self, start_node: StartNode, job_of: JobOf, text: str) -> None:
        start_node()

        run = finished(jobs.run_now(job=job_of("governed.have_nothing_to_do", text=text)))

        assert run.state == RunState.SKIPPED
        assert 1 <= len(str(run.reason)) <= 2100

    def test_resets_no_failures(self, start_node: StartNode, job_of: JobOf) -> None:
        rule = happenings.rule("failing", threshold=1)
        job = job_of("governed.fail_until", attempt=9)
        start_node()
        finished(jobs.run_now(job=job))
        wait_until(lambda: Incident.objects.filter(rule=rule, closed_at=None).exists())
        jobs.update(job=job, task="governed.have_nothing_to_do", kwargs={})
        Job.objects.filter(pk=job.pk).update(consecutive_failures=3)
        incidents = Incident.objects.values("pk", "count", "measured", "text", "last_at", "changed_at", "closed_at")
        before = list(incidents)  # beside these the node notes whom it has told

        finished(jobs.run_now(job=job))
        finished(jobs.run_now(job=job))

        job.refresh_from_db()
        assert job.consecutive_failures == 3
        assert list(incidents.all()) == before

    def test_is_not_among_dropped_fire_times(self, start_node: StartNode, job_of: JobOf) -> None:
        happenings.rule("dropped", threshold=1, seconds=3600)
        job = job_of("governed.have_nothing_to_do")
        start_node()
        for _ in range(4):
            finished(jobs.run_now(job=job))
        hours = Rollup.objects.filter(job_key=job.pk).values_list("skipped", "left_out")
        wait_until(lambda: [sum(column) for column in zip(*hours.all(), strict=True)] == [4, 4])

        session = Connection(purpose="test")
        alerts.judge(session, kind=RuleKind.DROPPED)
        session.close()

        assert not Incident.objects.exists()
        assert overview.not_started() == []

    def test_is_an_execution_to_listeners(self, start_node: StartNode, job_of: JobOf) -> None:
        heard: list[JobExecutionEvent] = []
        scheduler = start_node()
        scheduler.add_listener(heard.append, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)

        finished(jobs.run_now(job=job_of("governed.have_nothing_to_do")))

        wait_until(lambda: heard)
        assert [(event.code, event.retval, event.exception) for event in heard] == [(EVENT_JOB_EXECUTED, None, None)]

    def test_satisfies_a_command_that_waits(
        self, start_node: StartNode, job_of: JobOf, capsys: pytest.CaptureFixture[str]
    ) -> None:
        job = job_of("governed.have_nothing_to_do")
        start_node()

        call_command("jobs", "run", job.pk, "--wait", "--output", "json")

        assert "nothing new" in capsys.readouterr().out


class TestSkip:
    @pytest.mark.parametrize(("text", "stored"), [("a\0b\ud800", "a\ufffdb\ufffd"), ("", "–"), ("  ", "–")])
    def test_becomes_a_text_that_can_be_stored(self, text: str, stored: str) -> None:
        assert describe_skip(Skip(text)) == stored

    def test_has_a_text_of_its_own(self) -> None:
        assert str(Skip()) == "The task has nothing to do."
