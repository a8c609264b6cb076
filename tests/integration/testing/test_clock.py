"""The two clocks of a test."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from scheduler.models import Change, Job
from scheduler.services import jobs
from scheduler.store import test_clock
from scheduler.store.clock import database_now
from scheduler.testing import advance_by, advance_to, clock, reset, run_due

NOON = datetime(2091, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def sql_now(expression: str = "now()") -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression}")
        return cursor.fetchone()[0]


def path_of_functions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT unnest(proconfig) FROM pg_proc WHERE proname LIKE 'scheduler\\_%'")
        return {path for (path,) in cursor.fetchall()}


@pytest.mark.django_db
class TestAdvanceTo:
    def test_moves_python_and_sql(self) -> None:
        advance_to(NOON)

        assert timezone.now() == NOON
        for expression in ("now()", "clock_timestamp()", "statement_timestamp()", "transaction_timestamp()"):
            assert sql_now(expression) == NOON
        assert database_now() == NOON
        Group.objects.create(name="any")
        assert Group.objects.annotate(at=Now()).get().at == NOON

    def test_goes_on_by_a_duration(self) -> None:
        advance_to(NOON)
        advance_by(timedelta(days=1))

        assert timezone.now() == sql_now() == NOON + timedelta(days=1)

    def test_reads_a_time_without_a_zone_in_that_of_the_project(self, settings: Any) -> None:
        settings.TIME_ZONE = "Europe/Berlin"
        advance_to(datetime(2091, 3, 1, 13))  # noqa: DTZ001 - as a person writes it

        assert timezone.now() == NOON

    def test_moves_the_clock_of_triggers(self) -> None:
        advance_to(NOON)
        job = jobs.create(id="job", task="sample.nothing", trigger={"type": "interval", "hours": 1})
        advance_to(NOON + SECOND)
        Job.objects.filter(pk=job.pk).update(description="by SQL")

        assert [change.changed_at for change in Change.objects.order_by("pk")] == [NOON, NOON + SECOND]

    def test_goes_back_as_well(self) -> None:
        advance_to(NOON)
        advance_to(datetime(2001, 1, 1, tzinfo=UTC))

        assert timezone.now() == sql_now() == datetime(2001, 1, 1, tzinfo=UTC)

    def test_names_the_package_that_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "time_machine", None)

        with pytest.raises(ImportError, match=r"openlearn-scheduler\[testing\]"):
            advance_to(NOON)


@pytest.mark.django_db
class TestTheTimeWithoutIt:
    def test_is_that_of_the_statement_and_not_of_the_test(self) -> None:
        began = sql_now("pg_catalog.now()")
        run_due()

        assert sql_now() > began
        assert abs(sql_now() - timezone.now()) < timedelta(minutes=10)

    def test_follows_other_libraries(self) -> None:
        jobs.create(id="job", task="sample.nothing", trigger={"type": "interval", "hours": 1})
        with time_machine.travel(timezone.now() + timedelta(hours=1, minutes=1), tick=False):
            (run,) = run_due()
            assert run.created_at == timezone.now()

        assert run_due() == []
        assert abs(sql_now() - timezone.now()) < timedelta(minutes=10)

    def test_comes_back_after_a_rollback(self) -> None:
        with transaction.atomic():
            advance_to(NOON)
            transaction.set_rollback(True)
        run_due()

        assert sql_now() == NOON


class TestReset:
    @pytest.mark.django_db
    def test_lets_both_go_on(self) -> None:
        advance_to(NOON)
        reset()
        reset()

        assert abs(timezone.now() - sql_now("clock_timestamp()")) < timedelta(minutes=10)
        assert timezone.now() < NOON

    @pytest.mark.django_db(transaction=True)
    def test_leaves_no_trace_in_the_database(self) -> None:
        before = (sql_now("to_regnamespace('scheduler_testing')::text"), path_of_functions())
        search_path = sql_now("current_setting('search_path')")
        advance_to(NOON)
        assert path_of_functions() != before[1]
        reset()

        assert (sql_now("to_regnamespace('scheduler_testing')::text"), path_of_functions()) == before
        assert sql_now("current_setting('search_path')") == search_path

    @pytest.mark.django_db(transaction=True)
    def test_is_for_connections_that_were_opened_meanwhile(self) -> None:
        advance_to(NOON)
        connection.close()
        assert sql_now() == NOON
        reset()

        assert sql_now() < NOON

    @pytest.mark.django_db
    def test_is_quiet_in_a_transaction_that_is_broken(self) -> None:
        advance_to(NOON)
        with pytest.raises(Exception, match="division by zero"), connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")
        reset()

        assert clock._clock.instant is None


class TestTheDatabase:
    def test_is_left_alone_by_tests_that_do_not_use_the_kit(self) -> None:
        reset()

        assert not test_clock._is_used
