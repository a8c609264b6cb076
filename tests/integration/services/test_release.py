"""Going back to stock django-apscheduler, and coming again."""

from __future__ import annotations

import pickle
import pickletools
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from django.core.management import CommandError, call_command
from django.db import connection
from django_apscheduler.jobstores import DjangoJobStore
from django_apscheduler.models import DjangoJob

from scheduler.compat import adoption, release
from scheduler.core import triggers
from scheduler.errors import NodesAreRunning
from scheduler.models import Job
from scheduler.services import jobs, retention
from scheduler.services.jobs import transfer
from scheduler.store.clock import database_now
from scheduler.store.stock import legacy_state
from scheduler.store.stock.written_triggers import as_stock
from tests.contract import tasks  # noqa: F401 - registers the tasks
from tests.ledger import add_node

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("patient_with_heartbeats")]

NOW = datetime(2026, 12, 1, 10, 7, tzinfo=UTC)

SAID_BY_STOCK: list[dict[str, Any]] = [
    {"type": "date", "run_at": "2091-01-01T10:00:00"},
    {"type": "interval", "minutes": 90, "start_at": "2026-01-01T00:10:00"},
    {"type": "cron", "fields": {"day": "2nd sun", "hour": "3", "minute": "*/20"}},
    *(
        {"type": "cron", "expression": expression}
        for expression in (
            "*/5 * * * *",
            "30 2 * * *",
            "15 10,14 * * mon-fri",
            "*/20 0 9 1 1-6/2 *",
            "0 12 * * sun",
            "0 12 * * 7,3",
            "0 0 L * *",
            "0 0 1,15 * 5",
            "0 0 */2 * 1",
            "0 9 * * 1#2,5L",
            "0 9 * * fri,1#1",
            "0 9 13 * 5L",
            "0 6 29 2 *",
        )
    ),
    {"type": "cron", "expression": "0 9 * * *", "start_at": "2090-12-24T00:00:00", "end_at": "2090-12-26T09:00:00"},
    {"type": "calendar", "weeks": 2, "at": "09:30", "start_at": "2026-11-30T00:00:00"},
    {
        "type": "calendar",
        "months": 1,
        "at": "23:59:30",
        "start_at": "2026-10-31T00:00:00",
        "end_at": "2091-05-31T12:00",
    },
    {
        "type": "or",
        "triggers": [{"type": "cron", "expression": "0 8 * * *"}, {"type": "cron", "fields": {"hour": "20"}}],
    },
]
UNKNOWN_TO_STOCK: list[dict[str, Any]] = [
    {"type": "cron", "expression": "0 3 LW * *"},
    {"type": "cron", "expression": "0 3 15W * *"},
    {"type": "cron", "expression": "0 3 L-2 * *"},
    {
        "type": "and",
        "triggers": [{"type": "cron", "expression": "0 8 * * 5"}, {"type": "cron", "expression": "0 8 13 * *"}],
    },
    {"type": "or", "triggers": [{"type": "interval", "hours": 1}, {"type": "cron", "expression": "0 8 * * *"}]},
]


def _fire_times(trigger: BaseTrigger, *, count: int) -> list[datetime]:
    found: list[datetime] = []
    now = NOW
    while len(found) < count:
        moment = trigger.get_next_fire_time(found[-1] if found else None, now)
        if moment is None:
            break
        if moment > NOW:
            found.append(moment)
        else:  # APScheduler's calendar goes from its first date
            found = [moment]
            continue
        found = [each for each in found if each > NOW]
        now = moment + timedelta(microseconds=1)
    return found


def _classes(state: bytes) -> set[str]:
    """Return the modules that a pickle names."""
    texts: list[str] = []
    named: set[str] = set()
    for instruction, argument, _ in pickletools.genops(state):
        if isinstance(argument, str):
            texts.append(argument)
        if instruction.name == "STACK_GLOBAL":
            named.add(texts[-2])
    return {name for name in named if "." in name} | ({"scheduler"} & {text.partition(".")[0] for text in texts})


class TestTheTriggersOfAJobState:
    @pytest.mark.parametrize("form", SAID_BY_STOCK, ids=str)
    @pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
    def test_are_classes_of_stock_that_fire_at_the_same_times(self, form: dict[str, Any], zone: str) -> None:
        normalized = triggers.normalize({**form, "timezone": zone}, now=NOW)

        stock = as_stock(normalized)

        assert stock is not None
        assert not {name for name in _classes(pickle.dumps(stock)) if name.startswith("scheduler")}
        expected = triggers.next_fire_times(normalized, after=NOW, count=20)
        assert [moment.astimezone(UTC) for moment in _fire_times(stock, count=20)] == expected

    @pytest.mark.parametrize("form", UNKNOWN_TO_STOCK, ids=str)
    def test_are_our_own_where_stock_has_none(self, form: dict[str, Any]) -> None:
        normalized = triggers.normalize(form, now=NOW)

        assert as_stock(normalized) is None
        job = Job(id="a", task="contract.add", args=[1], kwargs={}, name="Sum", trigger=normalized)
        assert legacy_state.read(legacy_state.dump(job)).trigger == normalized


@pytest.fixture
def installation() -> dict[str, Any]:
    """Fill the tables with jobs of every kind; return their export."""
    now = database_now()
    call = {"task": "contract.echo", "kwargs": {"text": "hello"}}
    for number, form in enumerate(SAID_BY_STOCK):
        jobs.create(id=f"said-{number:02}", trigger=form, **call)
    for number, form in enumerate(UNKNOWN_TO_STOCK):
        jobs.create(id=f"unknown-{number}", trigger=form, **call)
    every_day = {"type": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin"}
    rich = {
        "description": "Words",
        "tags": ["a", "b"],
        "max_retries": 3,
        "overlap": "queue",
        "timeout": 60,
        "priority": 5,
    }
    jobs.create(id="rich", name="Much", trigger=every_day, **call, **rich)
    jobs.create(id="paused", trigger=every_day, **call)
    jobs.pause(job="paused", reason="Too expensive")
    once = jobs.create(id="over", trigger={"type": "date", "run_at": (now + timedelta(hours=1)).isoformat()}, **call)
    Job.objects.filter(pk=once.pk).update(state="finished", next_run_time=None)
    retention.schedule_clean_up()
    return transfer.export()


def _uninstall() -> None:
    """What “migrate scheduler zero” leaves: the rows of django-apscheduler."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SET session_replication_role = replica; DELETE FROM scheduler_job; RESET session_replication_role"
        )


def _run_stock() -> dict[str, datetime | None]:
    """Start stock's scheduler on the rows, without letting it run anything; return what it lists."""
    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.add_jobstore(DjangoJobStore())
    scheduler.start(paused=True)
    try:
        return {job.id: job.next_run_time for job in scheduler.get_jobs()}
    finally:
        scheduler.shutdown()


class TestRelease:
    def test_gives_stock_every_job_at_its_time(self, installation: dict[str, Any]) -> None:
        # As nodes leave it: the time of the row moves on, the stored state stays.
        late = database_now() + timedelta(days=2)
        Job.objects.filter(pk="rich").update(next_run_time=late)

        outcomes = {each.id: each for each in release.release()}
        _uninstall()
        listed = _run_stock()

        assert listed.keys() == outcomes.keys() == {entry["id"] for entry in installation["jobs"]}
        assert DjangoJob.objects.count() == len(installation["jobs"])
        parked = {id for id, each in outcomes.items() if each.is_parked}
        assert parked == {*(f"unknown-{n}" for n in range(5)), "over", retention.CLEAN_UP_JOB}
        assert {id for id, at in listed.items() if at is None} == parked | {"paused"}
        assert listed["rich"] == late
        left_out = set(outcomes["rich"].text.removeprefix("without ").split(", "))
        assert left_out == {"overlap", "max_retries", "timeout", "priority"}

    def test_loses_nothing_on_the_way_back(self, installation: dict[str, Any]) -> None:
        release.release()
        _uninstall()
        _run_stock()

        outcomes = adoption.adopt()

        assert all(each.is_taken for each in outcomes), outcomes
        assert transfer.export() == installation
        assert not retention.schedule_clean_up()

    def test_that_was_left_out_loses_no_rule(self, installation: dict[str, Any]) -> None:
        _uninstall()

        outcomes = adoption.adopt()

        assert all(each.is_taken for each in outcomes), outcomes
        before = {entry["id"]: entry["trigger"] for entry in installation["jobs"]}
        found = {entry["id"]: entry["trigger"] for entry in transfer.export()["jobs"]}
        assert found.keys() == before.keys()
        for id, trigger in before.items():
            after = database_now()
            assert triggers.next_fire_times(found[id], after=after, count=5) == triggers.next_fire_times(
                trigger, after=after, count=5
            ), id

    def test_writes_nothing_while_a_node_runs_or_for_a_rehearsal(self, installation: dict[str, Any]) -> None:
        before = dict(DjangoJob.objects.values_list("pk", "job_state"))

        release.release(dry_run=True)
        add_node(beat_at=database_now())
        with pytest.raises(NodesAreRunning):
            release.release()

        assert dict(DjangoJob.objects.values_list("pk", "job_state")) == before

    def test_is_told_line_by_line_by_the_command(self, installation: dict[str, Any]) -> None:
        out = StringIO()

        call_command("release_jobs", stdout=out)

        lines = out.getvalue().splitlines()
        assert "scheduler.cleanup_jobs: parked: its task belongs to the scheduler" in lines
        assert "unknown-0: parked: APScheduler has no such trigger" in lines
        assert lines[-1].endswith("go on under stock django-apscheduler, 7 parked.")
        add_node(beat_at=database_now())
        with pytest.raises(CommandError, match="Stop all nodes first"):
            call_command("release_jobs")

    def test_takes_a_damaged_definition_for_none(self) -> None:
        jobs.create(id="a", task="contract.first", trigger={"type": "interval", "hours": 1})
        release.release()
        _uninstall()
        row = DjangoJob.objects.get()
        state = pickle.loads(bytes(row.job_state))  # noqa: S301 - our own
        DjangoJob.objects.update(job_state=pickle.dumps({**state, "openlearn_scheduler": '{"definition": 7}'}))

        (outcome,) = adoption.adopt()

        assert outcome.text == "Its own definition is damaged."
