"""Runs under a limit by key, on two nodes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from scheduler.core.states import RunState
from scheduler.engine.node import Node
from scheduler.models import LimitedRun, RateLimit, Run
from scheduler.services import runs as run_services
from scheduler.services.queries import health
from scheduler.store.claiming import limits
from scheduler.store.sessions.connections import Connection
from tests.ledger import add_job, add_run
from tests.nodes import make_node, work

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def narrow(transactional_db: None) -> Iterator[tuple[Node, Node]]:
    """The same with few threads: one of them has no room for all runs of a test."""
    nodes = (make_node(threads=2), make_node(threads=2))
    yield nodes
    for node in nodes:
        node.stop(grace_seconds=0)


@pytest.fixture
def two(transactional_db: None) -> Iterator[tuple[Node, Node]]:
    """Two nodes in this process; the test does their passes."""
    nodes = (make_node(threads=8), make_node(threads=8))
    yield nodes
    for node in nodes:
        node.stop(grace_seconds=0)


@pytest.fixture
def refused(transactional_db: None) -> Iterator[None]:
    """The database refuses every decision about limits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION tests_refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE data_exception USING MESSAGE = 'not this one'; END $$;"
            " CREATE TRIGGER tests_refuse BEFORE INSERT ON scheduler_limited_run"
            " FOR EACH ROW EXECUTE FUNCTION tests_refuse()"
        )
        yield
        cursor.execute("DROP FUNCTION tests_refuse CASCADE")


def due(id: str, *, task: str, **changes: Any) -> None:
    add_job(id, due_at=timezone.now() - timedelta(seconds=1), task=task, **changes)


def ended(count: int) -> Any:
    return lambda: Run.objects.filter(state=RunState.SUCCEEDED).count() >= count


def occupy(places: int, *, host: str = "a.example") -> list[Run]:
    """Let runs of a node that is gone hold places of the key of a host."""
    job = add_job("lost", task="sample.crowded", due_at=None)
    runs = [add_run(job, attempt=number + 1, state=RunState.RUNNING) for number in range(places)]
    for run in runs:
        LimitedRun.objects.create(
            run=run.pk, lane="x", label="x", rate_key="", rate_seconds=0, concurrency_key=f"host:{host}",
            concurrency_most=2, priority=0, granted_at=timezone.now(),
        )  # fmt: skip
    return runs


def most_at_once(runs: list[Run]) -> int:
    """How many ran at once at most, by the ledger."""
    marks = sorted([(run.started_at, 1) for run in runs] + [(run.finished_at, -1) for run in runs])
    most = now = 0
    for _, change in marks:
        now += change
        most = max(most, now)
    return most


class TestAConcurrency:
    def test_holds_for_all_jobs_tasks_and_nodes_with_the_key(self, two: tuple[Node, Node]) -> None:
        for number in range(8):
            task = "sample.crowded" if number % 2 else "sample.crowded_too"
            due(f"job-{number}", task=task, kwargs={"host": "a.example", "seconds": 0.3})
            due(f"other-{number}", task=task, kwargs={"host": "b.example", "seconds": 0.3})

        work(*two, until=ended(16))

        for host in ("a.example", "b.example"):
            assert most_at_once(list(Run.objects.filter(kwargs__host=host))) == 2
        assert set(Run.objects.values_list("attempt", "priority", "reason_code")) == {(1, 0, "")}

    def test_lets_runs_without_a_limit_pass(self, two: tuple[Node, Node]) -> None:
        occupy(2)
        for number in range(4):
            due(f"job-{number}", task="sample.crowded", kwargs={"host": "a.example"}, priority=10)
        work(*two, until=lambda: LimitedRun.objects.filter(granted_at=None).count() == 4)
        due("free", task="sample.nothing")

        work(*two, until=Run.objects.filter(job_id="free", state=RunState.SUCCEEDED).exists)

        assert Run.objects.filter(reason_code="waits_for_limit").count() == 4

    def test_that_was_lowered_waits_until_enough_have_ended(self, two: tuple[Node, Node]) -> None:
        runs = occupy(5)  # by the release before, which allowed more than two
        due("job", task="sample.crowded", kwargs={"host": "a.example"})
        due("free", task="sample.nothing")

        work(*two, until=Run.objects.filter(job_id="free", state=RunState.SUCCEEDED).exists)
        assert Run.objects.get(job_id="job").reason_code == "waits_for_limit"
        ended_runs = Run.objects.filter(pk__in=[run.pk for run in runs[:4]])
        ended_runs.update(state=RunState.INTERRUPTED, finished_at=timezone.now())

        work(*two, until=Run.objects.filter(job_id="job", state=RunState.SUCCEEDED).exists)

    def test_that_cannot_be_decided_about_stops_no_run_without_a_limit(
        self, two: tuple[Node, Node], refused: None
    ) -> None:
        due("job", task="sample.crowded", kwargs={"host": "a.example"}, priority=10)
        due("free", task="sample.nothing")

        work(*two, until=Run.objects.filter(job_id="free", state=RunState.SUCCEEDED).exists)

        assert Run.objects.get(job_id="job").state == RunState.QUEUED

    def test_goes_by_priority(self, two: tuple[Node, Node]) -> None:
        first, _second = occupy(2)
        for number in range(6):
            due(f"job-{number}", task="sample.crowded", kwargs={"host": "a.example"}, priority=number % 2)
        work(*two, until=lambda: Run.objects.filter(reason_code="waits_for_limit").count() == 6)

        Run.objects.filter(pk=first.pk).update(state=RunState.INTERRUPTED, finished_at=timezone.now())
        work(*two, until=ended(6))

        began = Run.objects.filter(state=RunState.SUCCEEDED).order_by("started_at")
        assert [run.own_priority for run in began] == [1, 1, 1, 0, 0, 0]

    def test_frees_the_place_of_a_run_whose_node_is_gone(self, two: tuple[Node, Node]) -> None:
        occupy(2)
        due("job", task="sample.crowded", kwargs={"host": "a.example"})
        work(*two, until=Run.objects.filter(reason_code="waits_for_limit").exists)

        Run.objects.filter(job_id="lost").update(state=RunState.INTERRUPTED, finished_at=timezone.now())

        work(*two, until=ended(1))

    def test_waits_for_no_node_that_hangs_while_it_decides(self, two: tuple[Node, Node]) -> None:
        due("job", task="sample.crowded", kwargs={"host": "a.example"})
        due("free", task="sample.nothing")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [limits.LOCK])
            work(*two, until=Run.objects.filter(job_id="free", state=RunState.SUCCEEDED).exists)
            time.sleep(0.1)
            work(*two, until=lambda: True)
            assert not Run.objects.filter(job_id="job", state=RunState.SUCCEEDED).exists()
            cursor.execute("SELECT pg_advisory_unlock(%s)", [limits.LOCK])

        work(*two, until=ended(2))


class TestARate:
    def test_spaces_the_starts_of_all_nodes_evenly(self, narrow: tuple[Node, Node]) -> None:
        for number in range(12):
            due(f"job-{number}", task="sample.paced", kwargs={"host": "a.example"})
        began = time.monotonic()

        work(narrow[0], until=Run.objects.filter(node=narrow[0].identity.node).exists)
        work(narrow[1], until=Run.objects.filter(node=narrow[1].identity.node).exists)
        work(*narrow, until=ended(12))

        assert time.monotonic() - began >= 2.0  # eleven pauses of 0.2 s
        waited = Run.objects.order_by("due_at")[1:]  # the first one started at its fire time
        assert all(later.due_at - run.due_at > timedelta(seconds=0.199) for run, later in pairwise(waited))
        assert all(run.started_at and run.started_at >= run.due_at for run in waited)
        assert len(set(Run.objects.values_list("node", flat=True))) == 2

    def test_is_kept_for_each_key(self, two: tuple[Node, Node]) -> None:
        for number in range(10):
            due(f"job-{number}", task="sample.paced", kwargs={"host": f"{number}.example"})

        work(*two, until=ended(10))

        assert RateLimit.objects.count() == 10


class TestAWaitingRun:
    @pytest.fixture
    def waiting(self, two: tuple[Node, Node]) -> Run:
        self.others = occupy(2, host="example.org")
        due("job", task="sample.crowded", kwargs={"host": "example.org"}, priority=4)
        work(*two, until=Run.objects.filter(reason_code="waits_for_limit").exists)
        return Run.objects.get(reason_code="waits_for_limit")

    def end_others(self) -> None:
        ids = [run.pk for run in self.others]
        Run.objects.filter(pk__in=ids).update(state=RunState.INTERRUPTED, finished_at=timezone.now())

    def test_says_what_it_waits_for(self, waiting: Run) -> None:
        assert waiting.reason == "Waits for its turn under the limit “host:example.org 2”, with priority 4."
        assert (waiting.own_priority, waiting.node) == (4, None)

    def test_is_in_the_health(self, waiting: Run) -> None:
        (check,) = [check for check in health.judged().checks if check.name == "limits"]

        assert check.value == 1
        assert check.text.startswith("1 run waits for a limit: “host:example.org 2”, for ")

    def test_can_be_cancelled(self, waiting: Run, two: tuple[Node, Node]) -> None:
        run_services.cancel(run=waiting.pk, actor="ada")

        waiting.refresh_from_db()
        assert waiting.state == RunState.CANCELLED
        self.end_others()
        session = Connection(purpose="test")
        limits.forget(session)
        session.close()
        assert not LimitedRun.objects.exists()

    def test_asks_again_by_itself(self, waiting: Run, two: tuple[Node, Node]) -> None:
        LimitedRun.objects.filter(run=waiting.pk).delete()  # as after a restore of the ledger alone
        Run.objects.filter(pk=waiting.pk).update(due_at=timezone.now())
        self.end_others()

        work(*two, until=ended(1))
