"""``run_due``, ``drain`` and ``run_until``: without a node, in the transaction of a test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import TestCase

from scheduler.core.states import JobState, NodeState, RunKind, RunState
from scheduler.engine.duties import look_ahead, release
from scheduler.execution.logs import RunLogHandler
from scheduler.loops import Share
from scheduler.models import Change, Job, Node, Rollup, Run
from scheduler.services import jobs, runs
from scheduler.store.claiming import heads
from scheduler.testing import SchedulerTestMixin, advance_by, advance_to, drain, run_due, run_until
from tests import bells
from tests.integration.testing import rows
from tests.sample_app import database

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hourly(task: str = "sample.nothing", *, id: str = "job", **policies: Any) -> Job:
    trigger = {"type": "interval", "hours": 1, "timezone": "UTC", "start_at": (NOON + HOUR).isoformat()}
    return jobs.create(id=id, task=task, trigger=trigger, **policies)


@pytest.fixture
def quiet_logging() -> Iterator[logging.Logger]:
    """The root logger as Python has it, where the project's own passes on more."""
    root = logging.getLogger()
    before = root.level
    of_nodes = [
        handler for handler in root.handlers if isinstance(handler, RunLogHandler)
    ]  # other tests had nodes here
    for handler in of_nodes:
        root.removeHandler(handler)
    root.setLevel(logging.WARNING)
    yield root
    root.setLevel(before)
    for handler in of_nodes:
        root.addHandler(handler)


@pytest.mark.django_db
class TestRunDue:
    def test_runs_bodies_of_remote_executors_as_well(self) -> None:
        with bells.broker():
            advance_to(NOON)
            scheduled = hourly(id="scheduled", executor="celery:scrape")
            asked = jobs.run_now(job=hourly(id="asked", executor="celery:mail", queue="bulk"))
            advance_to(NOON + HOUR)

            ended = run_due(check=True)

        assert {run.job_key for run in ended} == {scheduled.pk, asked.job_key}
        assert {run.rings for run in ended} == {0}

    def test_runs_what_is_due_and_returns_its_row(self) -> None:
        advance_to(NOON)
        hourly("database.add_group", kwargs={"name": "editors"})
        assert run_due() == []

        advance_to(NOON + HOUR)
        (run,) = run_due(check=True)

        assert (run.state, run.kind, run.scheduled_at) == (RunState.SUCCEEDED, RunKind.SCHEDULED, NOON + HOUR)
        assert run.result == Group.objects.get(name="editors").pk
        assert "adding editors" in run.log
        assert Job.objects.get(pk="job").next_run_time == NOON + 2 * HOUR
        assert run_due() == []

    def test_leaves_what_bodies_request_for_the_next_call(self) -> None:
        hourly(id="other")
        jobs.run_now(job=hourly("database.run_another", id="first", kwargs={"job": "other"}))

        assert [run.job_id for run in run_due()] == ["first"]
        assert [run.job_id for run in run_due()] == ["other"]

    def test_records_what_was_missed(self) -> None:
        advance_to(NOON)
        hourly(misfire_grace_time=60)
        advance_to(NOON + HOUR + timedelta(minutes=5))

        (run,) = run_due()

        assert (run.state, run.reason_code) == (RunState.MISSED, "too_late")

    def test_runs_paused_jobs_when_their_pause_ends(self) -> None:
        advance_to(NOON)
        jobs.pause(job=hourly(), until=NOON + 3 * HOUR - timedelta(minutes=1))
        for instant in (NOON + 2 * HOUR, NOON + 3 * HOUR - timedelta(minutes=1)):
            advance_to(instant)
            assert {run.state for run in run_due()} <= {RunState.SKIPPED}

        advance_to(NOON + 3 * HOUR)
        assert [run.state for run in run_due()] == [RunState.SUCCEEDED]

    def test_runs_both_executors_and_idempotent_tasks(self) -> None:
        for executor in ("default", "processpool"):
            jobs.run_now(job=hourly(id=executor, executor=executor))
        jobs.run_now(job=hourly("database.count_groups", id="idempotent"))

        assert {run.job_id: run.state for run in run_due()} == dict.fromkeys(
            ("default", "processpool", "idempotent"), RunState.SUCCEEDED
        )

    def test_raises_for_failures_when_asked_to(self) -> None:
        jobs.run_now(job=hourly("sample.fail", kwargs={"message": "the printer burns"}))

        with pytest.raises(AssertionError, match="1 of 1 runs failed") as raised:
            run_due(check=True)

        assert "sample.fail" in str(raised.value)
        assert "Traceback" in str(raised.value)
        assert Run.objects.get().state == RunState.FAILED

    def test_leaves_logging_as_it_was(self, quiet_logging: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
        before = (quiet_logging.level, list(quiet_logging.handlers))
        jobs.run_now(job=hourly("database.add_group", kwargs={"name": "editors"}))

        (run,) = run_due(check=True)

        assert "adding editors" in run.log
        assert (quiet_logging.level, list(quiet_logging.handlers)) == before
        assert "adding editors" not in caplog.text


@pytest.mark.django_db
class TestTheTransactionOfTheTest:
    def test_keeps_what_a_body_wrote_before_it_failed(self) -> None:
        jobs.run_now(job=hourly("database.add_and_fail", kwargs={"name": "editors"}))

        (run,) = run_due()

        assert (run.state, run.error) == (RunState.FAILED, "ValueError: after editors")
        assert Group.objects.filter(name="editors").exists()

    def test_survives_a_body_that_the_database_rejects(self) -> None:
        jobs.run_now(job=hourly("database.violate", kwargs={"name": "editors"}))

        (run,) = run_due()

        assert run.state == RunState.FAILED
        assert "IntegrityError" in (run.error or "")
        assert Job.objects.get(pk="job").consecutive_failures == 1

    def test_lets_callbacks_run_at_the_end_of_the_body(self) -> None:
        database.called.clear()
        jobs.run_now(job=hourly("database.call_on_commit", kwargs={"text": "sent"}))

        run_due(check=True)

        assert database.called == ["sent"]

    def test_is_seen_by_async_bodies(self) -> None:
        Group.objects.create(name="editors")
        jobs.run_now(job=hourly("database.count_groups"))

        (run,) = run_due(check=True)

        assert run.result == 1

    def test_is_still_open(self) -> None:
        jobs.run_now(job=hourly("sample.fail", kwargs={"message": "no"}))
        run_due()

        assert connection.in_atomic_block
        assert not connection.needs_rollback


@pytest.mark.django_db
class TestDrain:
    def test_runs_what_follows_at_once(self) -> None:
        hourly(id="other")
        jobs.run_now(job=hourly("database.run_another", id="first", kwargs={"job": "other"}))
        jobs.run_now(job=hourly("database.fail_once", id="retried", kwargs={"after": 0}, max_retries=1))

        ended = [(run.job_id, run.attempt, run.state) for run in drain()]

        assert ended == [
            ("first", 1, RunState.SUCCEEDED),
            ("retried", 1, RunState.FAILED),
            ("other", 1, RunState.SUCCEEDED),
            ("retried", 2, RunState.SUCCEEDED),
        ]

    def test_leaves_retries_until_their_time_has_come(self) -> None:
        advance_to(NOON)
        jobs.run_now(job=hourly("database.fail_once", kwargs={"after": 60}, max_retries=1))
        assert [run.attempt for run in drain()] == [1]

        advance_by(timedelta(seconds=59))
        assert drain() == []
        advance_by(timedelta(seconds=1))
        assert [run.attempt for run in drain()] == [2]

    def test_runs_held_runs_after_those_that_they_wait_for(self) -> None:
        advance_to(NOON)
        job = hourly(coalesce=True, misfire_grace_time=None)
        advance_to(NOON + 5 * HOUR)
        assert len(drain()) == 1

        queued = runs.backfill(job=job, since=NOON, until=NOON + 5 * HOUR)

        assert len(drain()) == queued.queued == 4


@pytest.mark.django_db
class TestABusyMachine:
    """A node does rarely what has taken long."""

    @pytest.fixture(autouse=True)
    def _everything_takes_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(heads, "QUICK_SECONDS", -1.0)
        for name in ("SHARE", "_SHARE_IF_FOUND"):
            monkeypatch.setattr(heads, name, 10**9)
        for module in (look_ahead, release):
            monkeypatch.setattr(module, "Share", lambda **_: Share(quick_seconds=-1.0, rest=10**9))

    def test_leaves_no_held_run_out(self) -> None:
        advance_to(NOON)
        job = hourly(coalesce=True, misfire_grace_time=None)
        advance_to(NOON + 5 * HOUR)
        assert len(drain()) == 1

        queued = runs.backfill(job=job, since=NOON, until=NOON + 5 * HOUR)

        assert len(drain()) == queued.queued == 4

    def test_leaves_no_run_out_that_another_one_enqueues(self) -> None:
        advance_to(NOON)
        hourly(id="other")
        jobs.run_now(job=hourly("database.run_another", id="first", kwargs={"job": "other"}))

        assert [run.job_id for run in drain()] == ["first", "other"]


@pytest.mark.django_db
class TestRunUntil:
    def test_writes_what_a_node_would_have_written_that_ran_all_the_time(self) -> None:
        advance_to(NOON)
        hourly(misfire_grace_time=60)
        hourly("database.fail_once", id="retried", kwargs={"after": 90}, max_retries=1)

        run_until(NOON + 3 * HOUR)

        assert rows("job") == [(NOON + hours * HOUR, "succeeded") for hours in (1, 2, 3)]
        # The clocks stop at the last instant: its retry is due later.
        retries = Run.objects.finished().filter(job="retried", attempt=2).order_by("pk")
        assert [run.started_at for run in retries] == [NOON + n * HOUR + timedelta(seconds=90) for n in (1, 2)]

    def test_passes_a_change_of_clocks(self) -> None:
        advance_to(datetime(2027, 3, 27, 12, tzinfo=UTC))
        trigger = {"type": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin"}
        jobs.create(id="nightly", task="sample.nothing", trigger=trigger)

        run_until(datetime(2027, 3, 29, 12, tzinfo=UTC))

        assert [at.hour for at, _ in rows("nightly")] == [1, 0]

    def test_stops_when_nothing_is_due_any_more(self) -> None:
        advance_to(NOON)

        assert run_until(NOON + timedelta(days=365)) == []


@pytest.mark.django_db(transaction=True)
class TestWithoutATransaction:
    def test_bodies_commit_as_on_a_node(self) -> None:
        jobs.run_now(job=hourly("database.violate", kwargs={"name": "editors"}))

        (run,) = run_due()

        assert run.state == RunState.FAILED
        assert Group.objects.filter(name="editors").exists()

    def test_the_clock_is_moved_too(self) -> None:
        advance_to(NOON)
        hourly()
        run_until(NOON + HOUR)

        assert rows("job") == [(NOON + HOUR, "succeeded")]


class TestTheLedger:
    """The rows are those of a node, down to what other tables count."""

    @pytest.mark.django_db
    def test_names_a_node_that_has_stopped(self) -> None:
        advance_to(NOON)
        hourly()
        advance_to(NOON + HOUR)
        (run,) = run_due()

        node = Node.objects.get(pk=run.node)
        assert (node.name, node.state, node.started_at) == ("test", NodeState.STOPPED, NOON + HOUR)

    @pytest.mark.django_db
    def test_counts_in_roll_ups_and_in_the_history(self) -> None:
        advance_to(NOON)
        hourly("sample.fail", kwargs={"message": "no"}, pause_after_failures=1)
        advance_to(NOON + HOUR)
        run_due()

        assert Job.objects.get(pk="job").state == JobState.PAUSED
        assert Rollup.objects.get().hour == NOON + HOUR
        assert {change.changed_at for change in Change.objects.all()} <= {NOON, NOON + HOUR}


class TestCases(SchedulerTestMixin, TestCase):
    """As a project writes them that uses ``unittest``."""

    def test_run_jobs_in_their_transaction(self) -> None:
        advance_to(NOON)
        hourly()
        advance_to(NOON + HOUR)

        assert [run.state for run in drain(check=True)] == [RunState.SUCCEEDED]
