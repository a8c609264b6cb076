"""Results, logs and tracebacks that go before the rows of their runs."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from scheduler import conf
from scheduler.core.states import JobState, RunState
from scheduler.errors import InvalidRetention
from scheduler.models import Installation, Job, Run
from scheduler.services import output_retention, retention
from scheduler.store.cleaning import outputs
from scheduler.store.clock import database_now
from tests.integration.services.ledger import job, run

pytestmark = pytest.mark.django_db

OUTPUT: dict[str, Any] = {"result": {"rows": 7}, "log": "a line", "traceback": "Traceback", "error": "ValueError: no"}


def clean(**arguments: Any) -> retention.CleanUp:
    return retention.clean_up(**{"older_than_days": 90, "keep_per_job": 5, "output_days": 30, **arguments})


def with_output() -> set[int]:
    return set(Run.objects.exclude(result__isnull=True, log="", traceback="").values_list("pk", flat=True))


@pytest.fixture(autouse=True)
def installed() -> None:
    Installation.objects.get_or_create(environment="")


class TestOldOutput:
    def test_is_dropped_while_the_run_and_its_error_stay(self) -> None:
        old, young = (run(job(f"job-{days}"), days_ago=days, **OUTPUT) for days in (31, 29))

        done = clean()

        old.refresh_from_db()
        assert (done.outputs, done.runs, with_output()) == (1, 0, {young.pk})
        assert (old.result, old.log, old.traceback) == (None, "", "")
        assert (old.error, old.state) == ("ValueError: no", RunState.SUCCEEDED)
        assert abs(old.output_dropped_at - database_now()) < timedelta(minutes=1)
        assert Run.objects.get(pk=young.pk).output_dropped_at is None

    def test_stays_unless_somebody_wants_it_dropped(self) -> None:
        old = run(job(), days_ago=80, **OUTPUT)

        assert clean(output_days=None).outputs == 0
        assert with_output() == {old.pk}

    def test_goes_also_where_the_newest_runs_of_a_job_stay(self) -> None:
        newest = run(job(), days_ago=200, **OUTPUT)

        done = clean()

        assert (done.runs, done.outputs, with_output()) == (0, 1, set())
        assert Run.objects.filter(pk=newest.pk).exists()

    def test_of_enqueued_and_active_runs_stays(self) -> None:
        enqueued = run(None, days_ago=31, public_id=uuid4(), **OUTPUT)
        running = run(job(), days_ago=31, state=RunState.RUNNING, started_at=database_now(), log="a line")

        assert clean().outputs == 0
        assert with_output() == {enqueued.pk, running.pk}

    def test_is_counted_and_kept_by_a_dry_run(self) -> None:
        old = run(job(), days_ago=31, **OUTPUT)

        assert clean(dry_run=True).outputs == 1
        assert with_output() == {old.pk}
        assert clean().outputs == 1

    def test_leaves_runs_without_output_as_they_are(self) -> None:
        silent = run(job(), days_ago=31)

        assert clean().outputs == 0
        assert Run.objects.get(pk=silent.pk).output_dropped_at is None

    def test_is_dropped_after_the_days_of_the_settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        configured = dataclasses.replace(conf.get(), keep_output_days=3)
        monkeypatch.setattr(conf, "get", lambda: configured)
        run(job(), days_ago=4, **OUTPUT)

        assert retention.clean_up().outputs == 1

    @pytest.mark.parametrize("days", [0, 36_501, True, "7"])
    def test_needs_a_number_of_days(self, days: Any) -> None:
        with pytest.raises(InvalidRetention, match=f"output_days is “{days}”"):
            clean(output_days=days)


class TestASweep:
    def test_goes_on_where_the_sweep_before_ended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(output_retention, "_PAGE_ROWS", 2)
        daily = job()
        first = [run(daily, days_ago=days, **OUTPUT) for days in (40, 39, 38, 37, 36)]
        clean()
        looked_at = []
        find = outputs.find
        monkeypatch.setattr(
            outputs, "find", lambda **arguments: looked_at.append(arguments["after"]) or find(**arguments)
        )
        later = run(daily, days_ago=35, **OUTPUT)

        done = clean()

        assert looked_at[0] == first[-1].pk
        assert (done.outputs, Run.objects.get(pk=later.pk).log) == (1, "")

    def test_comes_back_to_a_run_that_had_not_ended(self) -> None:
        daily = job()
        slow = run(daily, days_ago=40, state=RunState.RUNNING, started_at=database_now(), log="a line")
        after = run(daily, days_ago=39, **OUTPUT)

        assert (clean().outputs, with_output()) == (1, {slow.pk})
        Run.objects.filter(pk=slow.pk).update(state=RunState.SUCCEEDED, finished_at=database_now() - timedelta(days=31))

        assert (clean().outputs, with_output()) == (1, set())
        assert after.pk > slow.pk

    def test_works_in_batches(self) -> None:
        daily = job()
        for days in (40, 39, 38):
            run(daily, days_ago=days, **OUTPUT)
        steps: list[retention.CleanUp] = []

        done = clean(batch_size=2, progress=steps.append)

        grown = [step.outputs for step in steps if step.outputs]
        assert (grown[0], done.outputs) == (2, 3)

    def test_comes_back_to_runs_that_were_locked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        daily = job()
        locked, other = (run(daily, days_ago=days, **OUTPUT) for days in (40, 39))
        drop = outputs.drop
        monkeypatch.setattr(outputs, "drop", lambda *, runs: drop(runs=[pk for pk in runs if pk != locked.pk]))
        assert (clean().outputs, with_output()) == (1, {locked.pk})
        assert other.pk > locked.pk
        monkeypatch.undo()

        assert (clean().outputs, with_output()) == (1, set())

    def test_changes_no_column_that_an_index_reads(self) -> None:
        """Such an update would write an entry into each of twenty indexes."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT part.attname FROM pg_index AS index JOIN pg_attribute AS part"
                " ON part.attrelid = index.indrelid AND part.attnum = ANY(index.indkey)"
                " WHERE index.indrelid = 'scheduler_run'::regclass"
            )
            indexed = {name for (name,) in cursor.fetchall()}

        assert "finished_at" in indexed
        assert not {"result", "log", "traceback", "output_dropped_at"} & indexed


class TestTheCommand:
    def test_drops_outputs_and_says_so(self) -> None:
        run(job(), days_ago=8, **OUTPUT)
        out = StringIO()

        call_command("cleanup_jobs", "--output-days", "7", stdout=out)

        assert out.getvalue().endswith(" UTC. Dropped the results, logs and tracebacks of 1 run that stay.\n")

    def test_refuses_a_wrong_number(self) -> None:
        with pytest.raises(CommandError, match=r"--output-days is “0”\. It must be a whole number from 1 to 36,500\."):
            call_command("cleanup_jobs", "--output-days", "0")

    def test_is_part_of_the_policy_of_the_nightly_job(self) -> None:
        retention.schedule_clean_up()
        Job.objects.filter(pk=retention.CLEAN_UP_JOB).update(kwargs={"output_days": 14}, state=JobState.ACTIVE)

        policy = retention.policy()

        assert policy is not None
        assert policy.output_days == 14
