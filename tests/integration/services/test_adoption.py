from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import pytz
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJob

from scheduler.compat import adoption
from scheduler.core import triggers
from scheduler.core.states import JobSource, JobState
from scheduler.core.triggers import parse
from scheduler.core.triggers.apscheduler import JsonTrigger, from_apscheduler
from scheduler.errors import UnreadableState
from scheduler.models import Job
from scheduler.store.stock import legacy_state, stock_state
from tests.contract import tasks  # noqa: F401 - registers the tasks
from tests.integration.services import stock_rows
from tests.integration.services.stock_rows import DUE, state, write

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)

pytestmark = pytest.mark.django_db

TRIGGERS = [
    IntervalTrigger(minutes=30, start_date=START, timezone="Europe/Berlin"),
    IntervalTrigger(weeks=2, start_date=START, end_date=START + timedelta(days=9000), timezone="UTC", jitter=10),
    IntervalTrigger(seconds=90, start_date=START, timezone=timezone(timedelta(hours=5, minutes=30))),
    DateTrigger("2990-05-01T12:00:00", timezone="America/New_York"),
    CronTrigger(hour=3, timezone="Europe/Berlin"),
    CronTrigger(day="2nd sun", hour="3", minute="*/20", jitter=5, timezone="Australia/Lord_Howe"),
    CronTrigger(day="last", month="jan-mar,dec", day_of_week="mon-fri", hour="9-17/2", minute="5,35", timezone="UTC"),
    CronTrigger(year="2026-2999", week="1-52/2", second="*/10", start_date=START, timezone="Asia/Tokyo"),
    CronTrigger.from_crontab("*/15 9-17 * * mon-fri", timezone="Europe/London"),
    CalendarIntervalTrigger(
        months=1, hour=2, minute=30, start_date=date(2026, 1, 31), end_date=date(2999, 1, 1), timezone="Europe/Berlin"
    ),
    OrTrigger([CronTrigger(hour=3, timezone="UTC"), DateTrigger("2990-05-01T12:00:00", timezone="UTC")], jitter=5),
    AndTrigger([CronTrigger(day="last", timezone="UTC"), CronTrigger(day_of_week="fri", timezone="UTC")]),
]


class TestRead:
    @pytest.mark.parametrize("protocol", [2, 3, 4, 5])
    @pytest.mark.parametrize("trigger", TRIGGERS, ids=str)
    def test_reads_every_trigger_of_stock(self, trigger: BaseTrigger, protocol: int) -> None:
        found = legacy_state.read(pickle.dumps(state("a", trigger=trigger), protocol))

        assert found.trigger == from_apscheduler(trigger)
        assert (found.id, found.func, found.args, found.kwargs) == ("a", "tests.contract.tasks:add", [1], {"b": 2})

    @pytest.mark.parametrize("moment", ["2026-10-25T02:30", "2026-07-01T12:00"])
    def test_reads_zones_of_pytz_by_name_and_their_instants_exactly(self, moment: str) -> None:
        berlin = pytz.timezone("Europe/Berlin")
        start = berlin.localize(datetime.fromisoformat(moment), is_dst=False)
        trigger = CronTrigger(hour=1, timezone="Europe/Berlin")
        trigger.timezone, trigger.start_date = berlin, start  # as APScheduler 3.10 stored it

        found = legacy_state.read(pickle.dumps(state("a", trigger=trigger)))

        assert found.trigger["timezone"] == "Europe/Berlin"
        assert parse(found.trigger).start_at == start

    @pytest.mark.parametrize(("zone", "name"), [(pytz.utc, "UTC"), (pytz.FixedOffset(120), "+02:00")])
    def test_reads_fixed_zones_of_pytz(self, zone: Any, name: str) -> None:
        trigger = CronTrigger(hour=1, timezone="UTC")
        trigger.timezone = zone

        assert legacy_state.read(pickle.dumps(state("a", trigger=trigger))).trigger["timezone"] == name

    def test_reads_what_we_write_ourselves(self) -> None:
        job = Job(
            id="a",
            task="contract.add",
            args=[1],
            kwargs={},
            name="Sum",
            trigger={"type": "interval", "hours": 1, "timezone": "UTC", "start_at": "2026-01-01T00:00:00Z"},
        )

        found = legacy_state.read(legacy_state.dump(job))

        assert (found.trigger, found.func) == (job.trigger, "tests.contract.tasks:add")


class TestAHostileKey:
    @pytest.mark.parametrize(
        "program",
        [
            b"\x80\x02}N" + b"2\x86" * 60 + b"Ns.",
            b"\x80\x02}(N" + b"2\x86" * 60 + b"Nu.",
            b"\x80\x04\x8f(N" + b"2\x86" * 60 + b"\x90.",
            b"\x80\x02}N" + b"q\x01h\x01\x86" * 60 + b"Ns.",
        ],
    )
    def test_is_refused_before_it_is_hashed(self, program: bytes) -> None:
        """A tuple of shared tuples is small, and its hash takes longer than the world will last."""
        with pytest.raises(UnreadableState, match="a key or a member of a set that no job needs"):
            stock_state.read(program)


class TestAdopt:
    def test_keeps_what_the_row_said(self) -> None:
        trigger = CronTrigger(hour=3, timezone="Europe/Berlin")
        row = write(
            "nightly",
            state(
                "nightly",
                trigger=trigger,
                executor="processpool",
                coalesce=False,
                max_instances=4,
                misfire_grace_time=None,
                name="Nightly",
            ),
        )

        (outcome,) = adoption.adopt(actor="deploy", now=NOW)

        job = Job.objects.get(pk="nightly")
        assert outcome.is_taken
        assert outcome.text.startswith("contract.add, at 03:00 every day")
        assert (job.next_run_time, job.task, job.args, job.kwargs) == (DUE, "contract.add", [1], {"b": 2})
        assert (job.executor, job.coalesce, job.max_instances, job.misfire_grace_time) == (
            "processpool",
            False,
            4,
            None,
        )
        assert (job.name, job.state, job.source, job.created_by) == (
            "Nightly",
            JobState.ACTIVE,
            JobSource.CODE,
            "deploy",
        )
        assert job.trigger == triggers.normalize(from_apscheduler(trigger), now=NOW)
        assert job.needs_inspection is False
        assert bytes(job.job_state) == bytes(row.job_state)

    def test_takes_a_paused_row_as_paused(self) -> None:
        write("idle", state("idle", next_run_time=None), next_run_time=None)

        (outcome,) = adoption.adopt(now=NOW)

        assert outcome.text.endswith(", paused")
        assert Job.objects.get().state == JobState.PAUSED

    def test_leaves_jobs_alone_and_finds_nothing_the_second_time(self) -> None:
        write("a")
        adoption.adopt(now=NOW)

        assert adoption.adopt(now=NOW) == ()
        assert adoption.unadopted_count() == 0

    def test_changes_nothing_when_it_only_tells(self) -> None:
        write("a")

        (outcome,) = adoption.adopt(dry_run=True, now=NOW)

        assert outcome.is_taken
        assert not Job.objects.exists()
        assert adoption.unadopted_count() == 1

    def test_refuses_hostile_rows_and_takes_the_honest_one_among_them(self, tmp_path: Path) -> None:
        canary = tmp_path / "canary"
        payloads = stock_rows.hostile(canary)
        rows = {id: write(id, payload) for id, payload in payloads.items()}
        write("honest")

        outcomes = {outcome.id: outcome for outcome in adoption.adopt(now=NOW)}

        assert len(payloads) >= 30
        assert {id for id, outcome in outcomes.items() if outcome.is_taken} == {"honest"}
        assert not canary.exists()
        assert [job.pk for job in Job.objects.all()] == ["honest"]
        for id, row in rows.items():
            left = DjangoJob.objects.get(pk=id)
            assert (bytes(left.job_state), left.next_run_time) == (bytes(row.job_state), DUE), id
            assert outcomes[id].text.endswith("."), id
        assert adoption.unadopted_count() == len(payloads)

    def test_does_not_even_fetch_a_huge_row(self) -> None:
        write("huge", b"\x80" * 3_000_000)

        with CaptureQueriesContext(connection) as queries:
            (outcome,) = adoption.adopt(now=NOW)

        assert outcome.text == "Its state takes 3,000,000 bytes; at most 1,048,576 are read."
        assert not [
            query["sql"] for query in queries if '."job_state",' in query["sql"] or '."job_state" FROM' in query["sql"]
        ]

    def test_imports_nothing_because_a_row_names_it(self) -> None:
        import sys

        write("a", state("a", func="this:s"))
        assert "this" not in sys.modules

        (outcome,) = adoption.adopt(now=NOW)

        assert "“this:s” is not a task" in outcome.text
        assert "this" not in sys.modules

    def test_takes_rules_that_earlier_releases_wrote_as_their_own(self) -> None:
        form = {"type": "cron", "expression": "0 3 LW * *", "timezone": "Europe/Berlin"}
        write("own", state("own", trigger=JsonTrigger(form)))

        adoption.adopt(now=NOW)

        assert Job.objects.get().trigger == triggers.normalize(form, now=NOW)

    def test_names_the_type_of_an_argument_that_json_lacks(self) -> None:
        write("precise", state("precise", args=(Decimal("1.5"),)))

        (outcome,) = adoption.adopt(now=NOW)

        assert outcome.text.startswith("Its arguments hold a decimal.Decimal; arguments of jobs are JSON.")


class TestAdoptJobs:
    """``manage.py adopt_jobs``."""

    def run(self, *arguments: str) -> str:
        output = StringIO()
        try:
            call_command("adopt_jobs", *arguments, stdout=output)
        except CommandError as error:
            return f"{output.getvalue()}exit {error.returncode}: {error}"
        return output.getvalue()

    def test_says_line_by_line_what_it_took(self) -> None:
        write("a", state("a", trigger=IntervalTrigger(hours=1, timezone="UTC")))
        write("b", b"garbage")

        lines = self.run().splitlines()

        assert lines[0] == "a: contract.add, every hour"
        assert lines[1].startswith("b: not taken. Its state")
        assert lines[2] == "1 taken, 1 not taken."
        assert lines[3].startswith("exit 1: ")

    def test_ends_well_if_all_were_taken(self) -> None:
        write("a")

        assert self.run().endswith("1 taken, 0 not taken.\n")

    def test_only_tells_with_dry_run(self) -> None:
        write("a")

        assert self.run("--dry-run").endswith("1 would be taken, 0 not taken.\n")
        assert not Job.objects.exists()

    def test_says_that_there_is_nothing(self) -> None:
        assert self.run() == "There is nothing to adopt.\n"
