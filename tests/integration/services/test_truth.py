"""
No summary is greener than the ledger: the dashboard, its tiles, the health page, ``status``, the command line and the
metrics judge the same tables, so what one of them reports, all report.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import translation

from scheduler import conf
from scheduler.core import reasons, zone_rules
from scheduler.core.queues import tracks
from scheduler.core.states import JobState, NodeState, RunKind, RunState
from scheduler.models import Installation, Job, LimitedRun, Node, NodeMeasure, Queue, Rollup, Run
from scheduler.models.run import PARKED
from scheduler.services import queues, retention
from scheduler.services.jobs import conditions
from scheduler.services.queries import health
from scheduler.services.queries.status import status
from scheduler.store.clock import database_now
from scheduler.store.measuring import measures
from scheduler.telemetry import metrics
from tests.ledger import add_job, add_node, add_run

LATE = timedelta(seconds=conf.get().overdue_seconds)
FIRE_TIMES = conf.get().stalled_fire_times
MINUTE = timedelta(minutes=1)
PASSED = (RunState.MISSED, RunState.SKIPPED)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("patient_with_heartbeats")]


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def looked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look in this thread: another one would not see what this test has not committed."""
    monkeypatch.setattr(health, "check", health.check_now)


@dataclass(frozen=True, kw_only=True)
class Views:
    """What each of the six says is wrong: the names of the checks."""

    dashboard: set[str]
    tiles: dict[str, int]
    health_page: set[str]
    status: set[str]
    ready: set[str]
    command: set[str]
    metrics: set[str]

    @property
    def agree(self) -> bool:
        said = (self.dashboard, self.health_page, self.status, self.ready, self.command, self.metrics)
        return all(each == said[0] for each in said)


@pytest.fixture
def client(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("anna"))
    return client


def _not_passed(checks: Any) -> set[str]:
    return {check["name"] for check in checks if check["status"] != "pass"}


def _command() -> set[str]:
    out = StringIO()
    with contextlib.suppress(CommandError):  # the document was printed before
        call_command("scheduler_status", "--json", stdout=out)
    return _not_passed(json.loads(out.getvalue())["checks"])


def look(client: Client) -> Views:
    page = client.get(reverse("admin:scheduler_dashboard")).context
    report = health.check_now()
    texts = {check.name: str(check.text) for check in report.checks}
    health_page = client.get(reverse("admin:scheduler_health")).context
    tiles = {
        name: int(row["number"].replace(",", ""))
        for row in page["counts"]
        for name in [row["address"].split("=")[-1]]
        if "condition" in row["address"]
    }
    return Views(
        dashboard={name for name, text in texts.items() if text in page["sentence"]},
        tiles=tiles,
        health_page={name for name, text in texts.items() if text in health_page["sentence"]},
        status={problem.name for problem in status().report.problems},
        ready=_not_passed(client.get("/api/v1/scheduler/health").json()["checks"]),
        command=_command(),
        metrics={
            sample.labels["check"]
            for family in metrics.Collector(metrics.read()).collect()
            if family.name == "scheduler_health_status"
            for sample in family.samples
            if sample.value
        },
    )


def alive(*, executors: dict[str, int] | None = None, tzdata: str = "", **measures: Any) -> None:
    now = database_now()
    made = add_node(
        beat_at=now, started_at=now - timedelta(hours=1), executors=executors or {"default": 5}, tzdata=tzdata
    )
    values = {"clock_at": now, "reported_at": now, "backlog": 0, "tick_seconds": 0.01, **measures}
    NodeMeasure.objects.create(node_id=made, **values)


def job(id: str, **changes: Any) -> Job:
    return add_job(id, due_at=changes.pop("due_at", database_now() + timedelta(hours=1)), **changes)


@dataclass(kw_only=True)
class World:
    """A random state of the tables, and what is true of it."""

    is_late: bool = False
    stalled: set[str] = field(default_factory=set)
    queued: int = 0
    paused: frozenset[str] = frozenset()
    """Queues that somebody paused."""

    limited: int = 0
    """Runs that wait for a limit of their task, as somebody wants it."""


def random_world(seed: int) -> World:
    """Fill the tables with jobs and runs in any state, some of which are late or do not run."""
    chance, now, world = random.Random(seed), database_now(), World()  # noqa: S311 - a test
    if chance.random() < 0.9:
        alive(executors={"default": chance.randint(1, 3)})
    world.paused = frozenset(name for name in ("default", "mail") if chance.random() < 0.3)
    for name in ("default", "mail"):
        past = now - timedelta(minutes=5)
        ended = {"paused_at": past, "paused_until": now - MINUTE} if chance.random() < 0.3 else {}
        Queue.objects.create(name=name, **({"paused_at": past} if name in world.paused else ended))
    for number in range(chance.randint(0, 4)):
        _random_job(f"job-{number}", chance, now, world)
    return world


def _random_job(id: str, chance: random.Random, now: datetime, world: World) -> None:
    due = now + timedelta(seconds=chance.choice([3600, 3600, 3600, 1, -5, -300]))
    queue = chance.choice(["default", "default", "mail"])
    executor = chance.choice(["default", "default", "default", "threads"])
    made = job(id, due_at=due, executor=executor, queue=queue)
    world.is_late |= due < now - LATE
    newest_passed = 0
    is_streak = True
    for back in range(chance.randint(0, 6)):
        at = now - timedelta(minutes=1 + back)
        state = chance.choice([*PASSED, RunState.QUEUED, RunState.RUNNING, RunState.SUCCEEDED, RunState.SKIPPED])
        waited = chance.choice([timedelta(seconds=1), 3 * MINUTE])
        coalesced = chance.choice([0, 0, 4])
        is_held = state is RunState.QUEUED and chance.random() < 0.3
        is_owned = state is RunState.RUNNING or (not is_held and chance.random() < 0.2)
        waits = add_run(
            made,
            scheduled_at=at,
            due_at=now - waited,
            created_at=now - waited,
            state=state,
            held=is_held,
            coalesced=coalesced,
            executor=tracks.of_job(executor=executor, queue=queue),
            queue=queue,
            priority=chance.choice([-10, 0, 5]),
            kind=chance.choice([RunKind.SCHEDULED, RunKind.MANUAL]),
            node="00000000-0000-0000-0000-000000000007" if is_owned else None,
        )
        world.queued += state is RunState.QUEUED
        if state is RunState.QUEUED and chance.random() < 0.2:
            _wait_for_a_limit(waits, now, world)
        elif state is RunState.QUEUED:
            world.is_late |= waited > LATE
        is_left_out = state is RunState.SKIPPED and chance.random() < 0.2
        if is_left_out:
            # A calendar has left it out: it was not to run.
            Run.objects.filter(pk=waits.pk).update(**reasons.columns(reasons.LEFT_OUT_FOLDED()))
        is_streak &= state in PASSED and not is_left_out
        newest_passed += (coalesced + 1) if is_streak and back < FIRE_TIMES else 0
    if newest_passed >= FIRE_TIMES:
        world.stalled.add(id)


def _wait_for_a_limit(run: Run, now: datetime, world: World) -> None:
    """Park the run as a node does: it is due later, behind all others."""
    Run.objects.filter(pk=run.pk).update(due_at=now + timedelta(days=300), priority=PARKED, held=False, node=None)
    LimitedRun.objects.create(
        run=run.pk, lane="host", label="host:example.org 1/s", rate_key="host", rate_seconds=1, concurrency_key="",
        concurrency_most=0, priority=0,
    )  # fmt: skip
    world.limited += 1


class TestTheSixViews:
    @pytest.mark.parametrize("seed", range(40))
    def test_agree_and_report_what_is_due_and_has_not_begun(self, client: Client, seed: int) -> None:
        world = random_world(seed)

        found = look(client)

        assert found.agree, found
        if world.is_late:
            assert found.dashboard & {"overdue", "queue"}, found
        assert ("stalled_jobs" in found.dashboard) is bool(world.stalled)
        if not Node.objects.exists():
            assert "nodes" in found.dashboard

    @pytest.mark.parametrize("seed", range(60, 80))
    def test_count_what_waits_and_name_the_limits_that_it_waits_for(self, client: Client, seed: int) -> None:
        world = random_world(seed)

        checks = {check.name: check for check in health.check_now().checks}
        rows = {row["name"]: row for row in client.get(reverse("admin:scheduler_health")).context["rows"]}
        answer = client.get("/api/v1/scheduler/status").json()

        assert checks["limits"].value == world.limited
        assert ("host:example.org 1/s" in rows["limits"]["text"]) is bool(world.limited)
        assert sum(queue["queued"] + queue["held"] for queue in answer["queues"]) == world.queued

    @pytest.mark.parametrize("seed", range(80, 90))
    def test_count_the_jobs_whose_fire_times_pass_as_pages_list_them(self, seed: int) -> None:
        world = random_world(seed)

        listed = {job.job for job in measures.not_started() if job.fire_times}

        assert listed == world.stalled
        assert measures.stalled() == len(listed)

    @pytest.mark.parametrize("seed", range(40, 60))
    def test_call_no_job_fine_that_is_late_or_does_not_run(self, client: Client, seed: int) -> None:
        world = random_world(seed)
        now = database_now()
        late = Run.objects.filter(state=RunState.QUEUED, due_at__lt=now - LATE, created_at__lt=now - LATE)
        bad = {run.job_id for run in late} | world.stalled
        bad |= set(Job.objects.filter(next_run_time__lt=now - LATE).values_list("pk", flat=True))

        by = conditions.criteria(now=now)
        found = dict(conditions.with_condition(jobs=Job.objects.all(), by=by).values_list("pk", "condition"))

        assert {id for id, condition in found.items() if condition != "ok"} == bad
        for each in Job.objects.all():
            assert conditions.condition_of(job=each, now=now) == found[each.pk]
        shown = look(client).tiles
        assert shown["ok"] == len(found) - len(bad)


class TestAPausedQueue:
    def test_is_a_warning_everywhere_while_due_runs_wait_in_it(self, client: Client) -> None:
        alive()
        now = database_now()
        for number in range(3):
            add_run(
                job(f"mail-{number}", queue="mail"), scheduled_at=now - 12 * MINUTE, executor="default@mail",
                queue="mail",
            )  # fmt: skip
        queues.pause(name="mail", actor="ada", reason="the server moves")

        found = look(client)

        assert found.agree
        assert found.dashboard == {"queue"}
        assert found.tiles["overdue"] == 3
        (problem,) = health.check_now().problems
        assert problem.text == "3 runs wait in paused queues (mail), the oldest for 12 min."
        assert health.check_now().is_ready
        page = client.get(reverse("admin:scheduler_dashboard")).context
        assert page["attention"][0]["problem"] == "Its run is queued, and the queue “mail” is paused."
        assert {"number": "3", "text": "queued, oldest 12 min"}.items() <= page["counts"][-1].items()
        (row,) = client.get("/api/v1/scheduler/status").json()["queues"]
        assert (row["paused"], row["paused_queues"], row["oldest_seconds"]) == (3, ["mail"], None)

    def test_hides_no_run_of_another_queue_that_waits(self) -> None:
        alive()
        at = database_now() - 12 * MINUTE
        add_run(job("a", queue="mail"), scheduled_at=at, executor="default@mail", queue="mail")
        add_run(job("b"), scheduled_at=at)
        queues.pause(name="mail")

        (problem,) = health.check_now().problems

        assert problem.text == (
            "1 run waits in the queue of the executor “default”, the oldest for 12 min: 0 of 5 workers are busy. "
            "1 run waits in a paused queue (mail), for 12 min."
        )


class TestAFullPool:
    def test_is_reported_with_since_when_it_is_busy(self, client: Client) -> None:
        now = database_now()
        alive(executors={"default": 2})
        for number in range(2):
            add_run(
                job(f"deaf-{number}"), scheduled_at=now - 20 * MINUTE, state=RunState.RUNNING,
                started_at=now - 20 * MINUTE, node="00000000-0000-0000-0000-000000000007",
            )  # fmt: skip
        add_run(job("other"), scheduled_at=now - 12 * MINUTE)

        page = client.get(reverse("admin:scheduler_dashboard")).context

        assert (
            "1 run waits in the queue of the executor “default”, the oldest for 12 min: 2 of 2 workers have been busy "
            "for 20 min." in page["sentence"]
        )
        assert page["tone"] == "bad"
        assert {"number": "1", "text": "queued, oldest 12 min"}.items() <= page["counts"][-1].items()
        assert not health.check_now().is_ready

    def test_is_a_warning_while_runs_begin(self, client: Client) -> None:
        now = database_now()
        alive(executors={"default": 1})
        at = now - timedelta(seconds=2)
        add_run(job("busy"), scheduled_at=at, state=RunState.RUNNING, node="00000000-0000-0000-0000-000000000007")
        add_run(job("other"), scheduled_at=now - 50 * MINUTE)

        found = health.check_now()

        assert [check.name for check in found.problems] == ["queue"]
        assert found.is_ready


class TestAnExecutorThatNoNodeServes:
    def test_is_named(self, client: Client) -> None:
        alive()
        add_run(job("typo", executor="threads"), scheduled_at=database_now() - 2 * MINUTE)

        text = health.check_now().error

        assert text == (
            "1 run waits in the queue of the executor “threads”, the oldest for 2 min: "
            "no live node serves this executor."
        )


class TestJobsPausedAfterFailing:
    def test_come_first_and_in_red(self, client: Client) -> None:
        alive()
        job("a")
        job("b", state=JobState.PAUSED, due_at=None, state_reason="Too expensive")
        job(
            "c", state=JobState.PAUSED, due_at=None, consecutive_failures=2, pause_after_failures=2,
            state_reason="Failed 2 times in a row.",
        )  # fmt: skip

        page = client.get(reverse("admin:scheduler_dashboard")).context

        assert page["sentence"] == (
            "1 job was paused after failing. 1 job is OK, 1 is paused. The scheduler is running on 1 node."
        )
        assert (page["tone"], page["tab_title"]) == ("bad", "(1) Scheduler")
        assert [row["job"].pk for row in page["attention"]] == ["c"]


class TestTheRecorder:
    def test_fails_the_health_while_an_outcome_is_not_written(self, client: Client) -> None:
        alive(backlog=1, backlog_seconds=95.0)

        report = health.check_now()

        assert [check.name for check in report.problems] == ["recorder"]
        assert report.error is not None
        assert report.error.startswith("A node has 1 result that it could not write yet, for 1 min")


class TestANodeThatIsSilent:
    def test_is_silent_everywhere_at_the_same_moment(self, client: Client) -> None:
        beat = database_now() - timedelta(seconds=measures.fresh_seconds() + 1)
        add_node(beat_at=beat, executors={"default": 5})

        page = client.get(reverse("admin:scheduler_dashboard")).context

        assert re.match(r"No scheduler is running: last heartbeat 1 min ago\.", page["sentence"])
        assert [str(row["mark"].word) for row in page["nodes"]] == ["silent"]
        assert not health.check_now().is_ready


class TestRunsThatDoNotEnd:
    def test_are_reported_once_their_cancellation_was_requested(self, client: Client) -> None:
        now = database_now()
        alive()
        add_run(
            job("deaf"), scheduled_at=now - 9 * MINUTE, state=RunState.RUNNING, cancel_requested_at=now - 5 * MINUTE,
            node="00000000-0000-0000-0000-000000000007",
        )  # fmt: skip

        assert [check.text for check in health.check_now().problems] == [
            "1 run goes on although its cancellation was requested: restart its node to end it."
        ]


class TestManyQueuedRuns:
    def test_are_counted(self, client: Client) -> None:
        now = database_now()
        alive()
        made = job("backfill")
        for number in range(30):
            at = now - timedelta(days=number + 1)
            add_run(made, scheduled_at=at, created_at=now - 12 * MINUTE, held=bool(number), kind=RunKind.MANUAL)

        page = client.get(reverse("admin:scheduler_dashboard")).context

        assert "29 runs wait for other runs of their jobs to end, the oldest for 12 min." in page["sentence"]
        assert {"number": "30", "text": "queued, oldest 12 min"}.items() <= page["counts"][-1].items()


class TestTheSuccessRate:
    def test_counts_what_was_skipped_or_missed(self, client: Client) -> None:
        now = database_now()
        alive()
        job("a")
        Rollup.objects.create(job_key="a", hour=now - MINUTE, succeeded=1, skipped=2, missed=1, last_finished_at=now)

        tile = client.get(reverse("admin:scheduler_dashboard")).context["counts"][-1]

        assert (tile["number"], tile["text"]) == ("25.0 %", "of 4 scheduled times in 24 h succeeded")


class TestOldRuns:
    @pytest.fixture(autouse=True)
    def old_runs(self) -> None:
        alive()
        Installation.objects.create()
        hour = database_now() - timedelta(days=3)
        Rollup.objects.create(job_key="old", hour=hour, last_finished_at=hour, succeeded=1)

    def test_are_a_warning_everywhere_while_nothing_deletes_them(self, client: Client) -> None:
        found = look(client)

        assert found.agree
        assert found.dashboard == {"clean_up"}

    def test_are_none_once_the_nightly_job_exists(self) -> None:
        assert retention.schedule_clean_up()

        assert health.check_now().problems == ()

        Job.objects.update(state=JobState.PAUSED, next_run_time=None)
        assert [check.name for check in health.check_now().problems] == ["clean_up"]

    def test_are_none_while_cron_cleans_up(self) -> None:
        retention.clean_up()
        assert health.check_now().problems == ()

        Installation.objects.update(cleaned_up_at=database_now() - timedelta(days=3))
        assert [check.name for check in health.check_now().problems] == ["clean_up"]

    def test_stay_a_warning_after_a_dry_run(self) -> None:
        retention.clean_up(dry_run=True)

        assert [check.name for check in health.check_now().problems] == ["clean_up"]

    def test_are_no_matter_on_the_first_day(self) -> None:
        Rollup.objects.update(hour=database_now() - timedelta(hours=2))

        assert health.check_now().problems == ()


class TestTimeZoneRules:
    def test_that_differ_are_a_warning_everywhere_and_named(self, client: Client) -> None:
        now = database_now()
        own = zone_rules.release()
        for name, release in (("a", own), ("b", "2019a")):
            add_node(name=name, beat_at=now, started_at=now, executors={"default": 1}, tzdata=release)

        found = look(client)

        assert found.agree
        assert found.dashboard == {"time_zones"}
        (problem,) = health.check_now().problems
        assert f"2019a: b; {own}: a" in str(problem.text)
        node = client.get("/api/v1/scheduler/status").json()["nodes"][1]
        assert (node["name"], node["time_zone_rules"]) == ("b", "2019a")
        assert "2019a" in client.get(reverse("admin:scheduler_health")).content.decode()
        assert "2019a" in client.get(reverse("admin:scheduler_node_changelist")).content.decode()
        samples = [
            sample.labels
            for family in metrics.Collector(metrics.read()).collect()
            if family.name == "scheduler_node_time_zone_rules"
            for sample in family.samples
        ]
        assert samples == [{"node": "a", "release": own}, {"node": "b", "release": "2019a"}]

    def test_of_the_process_that_is_asked_count_too(self) -> None:
        alive(tzdata="2019a")

        (problem,) = health.check_now().problems

        assert f"2019a: node; {zone_rules.release()}: this process" in str(problem.text)

    @pytest.mark.parametrize("release", ["", None])
    def test_are_fine_where_all_have_the_same_or_say_none(self, release: str | None) -> None:
        alive(tzdata=zone_rules.release() if release is None else release)

        assert health.check_now().problems == ()

    def test_of_a_silent_node_do_not_count(self) -> None:
        alive(tzdata=zone_rules.release())
        add_node(name="gone", state=NodeState.LOST, tzdata="2019a")

        assert health.check_now().problems == ()
