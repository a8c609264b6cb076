from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from scheduler import conf
from scheduler.core.states import NodeState, RunState
from scheduler.engine.duties import Reconcile, claim, inspection
from scheduler.engine.duties.account import Account
from scheduler.engine.duties.release import Release
from scheduler.engine.duties.resume import Resume
from scheduler.engine.node import Node
from scheduler.errors import DatabaseUnavailable
from scheduler.execution.threads import ThreadPool
from scheduler.models import Job, Run
from scheduler.models import Node as NodeRow
from scheduler.store.claiming import claims
from scheduler.store.cleaning import removals
from scheduler.store.recording import runs
from scheduler.store.sessions.connections import Connection
from scheduler.store.sessions.halving import QUICK_SECONDS
from scheduler.store.sessions.notifications import ANYTHING, Channel, Hint
from scheduler.telemetry import events
from tests.ledger import HOUR, SECOND, add_job, add_run
from tests.nodes import work
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

Start = Callable[..., Node]

RARE = {"poll_seconds": 3600.0, "busy_poll_seconds": 3600.0, "reconcile_seconds": 3600.0}
"""A node that looks at nothing by itself several times a minute."""


@pytest.fixture
def start(transactional_db: None) -> Iterator[Start]:
    """Starts nodes in this process; the test does their passes."""
    started: list[Node] = []

    def start_node(*, threads: int = 2, **changes: Any) -> Node:
        def pool(name: str, report: Any, publish: Any, identity: Any) -> ThreadPool:
            return ThreadPool(name=name, size=threads, report=report, publish=publish, identity=identity, max_stuck=2)

        node = Node(settings=dataclasses.replace(conf.get(), **changes), executors={"default": pool})
        node.start()
        started.append(node)
        return node

    yield start_node
    for node in started:
        node.stop(grace_seconds=0)


def due(id: str = "job", **changes: Any) -> datetime:
    """Add a job that is due, and return its fire time."""
    due_at = timezone.now() - timedelta(seconds=1)
    add_job(id, due_at=due_at, **{"task": "sample.nothing", **changes})
    return due_at


def all_succeeded(count: int) -> Callable[[], bool]:
    return lambda: Run.objects.filter(state=RunState.SUCCEEDED).count() >= count


class TestANode:
    def test_runs_what_is_due_and_records_it(self, start: Start) -> None:
        due_at = due(task="sample.give", kwargs={"value": [1, "two"]})
        node = start()

        work(node, until=all_succeeded(1))

        run = Run.objects.get()
        assert (run.scheduled_at, run.result, str(run.node)) == (due_at, [1, "two"], node.identity.node)
        assert run.started_at is not None
        assert run.finished_at is not None
        assert run.created_at <= run.started_at <= run.finished_at

    def test_runs_more_than_it_has_room_for(self, start: Start) -> None:
        for number in range(50):
            due(f"job-{number}")
        node = start()

        work(node, until=all_succeeded(50))

        assert set(Run.objects.values_list("state", "attempt")) == {(RunState.SUCCEEDED, 1)}

    def test_shares_its_work_with_another_node(self, start: Start) -> None:
        for number in range(40):
            due(f"job-{number}")
        one, other = start(), start()

        work(one, other, until=all_succeeded(40))

        assert Run.objects.count() == 40
        assert set(Run.objects.values_list("node", flat=True)) <= {NodeRow.objects.all()[n].pk for n in (0, 1)}

    def test_sleeps_while_it_has_room_for_nothing_that_waits(self, start: Start, tmp_path: Path) -> None:
        for number in range(5):
            due(f"job-{number}", task="sample.wait", kwargs={"until": str(tmp_path / "go")})
        node = start(threads=1, **RARE)
        work(node, until=Run.objects.filter(state=RunState.RUNNING).exists)
        node.run_once()

        pauses = [node.run_once() for _ in range(5)]

        assert sum(pause > 0 for pause in pauses) >= 4, pauses  # a duty of each minute may be due at the end of one

        (tmp_path / "go").touch()
        work(node, until=all_succeeded(5))

    @pytest.mark.parametrize(
        "lock", ["SELECT FROM django_apscheduler_djangojob FOR UPDATE", "SELECT FROM scheduler_run FOR UPDATE"]
    )
    def test_sleeps_a_little_while_somebody_holds_what_is_due(
        self, start: Start, session: Connection, lock: str
    ) -> None:
        if "scheduler_run" in lock:
            add_run(add_job(due_at=timezone.now() + HOUR, task="sample.nothing"), scheduled_at=timezone.now() - SECOND)
        else:
            due()
        held = session.raw()
        held.autocommit = False
        with held.cursor() as cursor:
            cursor.execute(lock)
        node = start()
        node.run_once()

        pauses: list[float] = []
        for _ in range(9):
            pauses.append(node.run_once())
            node.wakeups.sleep(timeout=pauses[-1])

        held.rollback()
        assert all(pause < 1 for pause in pauses), pauses
        assert sum(pause > 0 for pause in pauses) >= 3, pauses
        work(node, until=all_succeeded(1))

    def test_announces_itself_and_says_goodbye(self, start: Start) -> None:
        node = start(threads=3)
        row = NodeRow.objects.get()
        assert (str(row.pk), row.state, row.executors) == (node.identity.node, NodeState.RUNNING, {"default": 3})
        assert "sample.nothing" in row.tasks

        node.stop(grace_seconds=0)
        node.stop(grace_seconds=0)

        row.refresh_from_db()
        assert row.state == NodeState.STOPPED

    def test_claims_nothing_without_its_lease(self, start: Start) -> None:
        due()
        node = start(heartbeat_seconds=3600.0)  # or it has a new lease at once
        node.heartbeat.lease.end()

        assert node.run_once() > 0

        assert not Run.objects.exists()

    def test_goes_on_as_another_when_it_was_taken_for_dead(self, start: Start) -> None:
        node = start()
        former = node.identity.node
        NodeRow.objects.update(state=NodeState.LOST)
        node.heartbeat.beat_now()
        due()

        work(node, until=all_succeeded(1))

        assert node.identity.node != former
        assert str(Run.objects.get().node) == node.identity.node
        assert NodeRow.objects.filter(state=NodeState.RUNNING).count() == 1

    def test_leaves_what_it_cannot_finish_to_others(self, start: Start, tmp_path: Path) -> None:
        release = tmp_path / "release"
        due(task="sample.wait", kwargs={"until": str(release)}, rerun_if_interrupted=True)
        node = start()
        work(node, until=lambda: Run.objects.filter(state=RunState.RUNNING).exists())

        node.stop(grace_seconds=0)

        assert list(Run.objects.order_by("attempt").values_list("state", "kind")) == [
            (RunState.INTERRUPTED, "scheduled"),
            (RunState.QUEUED, "recovery"),
        ]
        release.touch()


def limits_of_claims(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the most jobs of each claim from now on."""
    limits: list[int] = []
    original = claims.claim_due

    def claim_due(*args: Any, limit: int, **kwargs: Any) -> Any:
        limits.append(limit)
        return original(*args, limit=limit, **kwargs)

    monkeypatch.setattr(claims, "claim_due", claim_due)
    return limits


class TestABacklog:
    def test_lets_a_job_come_first_that_is_due_just_now(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each claim plans one job of many that are overdue, as if each had much to catch up with."""
        monkeypatch.setattr(claims, "SLICE_ROWS", 1)
        monkeypatch.setattr(claim, "_LOOK_AT_RECENT_SECONDS", 0.0)
        monkeypatch.setattr(claim, "_RECENT_SECONDS", HOUR.total_seconds())
        for number in range(30):
            add_job(f"late-{number}", due_at=timezone.now() - 2 * HOUR, task="sample.nothing")
        node = start()
        node.run_once()
        due("good")

        work(node, until=Run.objects.filter(job_key="good").exists)

        assert Run.objects.filter(job_key__startswith="late").count() < 10
        work(node, until=all_succeeded(31))

    def test_lets_a_job_come_first_that_fires_every_few_seconds(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Very many jobs are due at the same instant, as at a full minute, and one of them fires each second."""
        monkeypatch.setattr(claims, "SLICE_ROWS", 1)
        monkeypatch.setattr(claim, "_LOOK_AT_RECENT_SECONDS", 3600.0)
        monkeypatch.setattr(claim, "_LOOK_AT_FREQUENT_SECONDS", 0.0)
        due_at = timezone.now() - SECOND
        for number in range(30):
            add_job(f"minutely-{number}", due_at=due_at, task="sample.nothing")
        node = start()
        node.run_once()
        node.loop.duty(claim.Claim).work.positions.note_moved([("good", due_at, due_at + SECOND)])
        add_job("good", due_at=due_at, task="sample.nothing")

        work(node, until=Run.objects.filter(job_key="good").exists)

        assert Run.objects.filter(job_key__startswith="minutely").count() < 10
        work(node, until=all_succeeded(31))

    def test_claims_fewer_jobs_after_a_claim_that_took_long(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(claim, "_LONG_SECONDS", 0.0)
        monkeypatch.setattr(claim, "_LEAST_JOBS", 2)
        monkeypatch.setattr(claim, "_LOOK_AT_RECENT_SECONDS", 3600.0)
        for number in range(40):
            due(f"job-{number}")
        limits = limits_of_claims(monkeypatch)
        node = start(claim_batch=16)

        work(node, until=all_succeeded(40))

        assert limits[:5] == [16, 8, 4, 2, 2]

    def test_locks_about_as_many_jobs_as_it_plans(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(claims, "SLICE_ROWS", 1)
        monkeypatch.setattr(claim, "_LEAST_JOBS", 2)
        monkeypatch.setattr(claim, "_LOOK_AT_RECENT_SECONDS", 3600.0)
        for number in range(20):
            add_job(f"late-{number}", due_at=timezone.now() - 2 * HOUR, task="sample.nothing")
        limits = limits_of_claims(monkeypatch)
        node = start()

        work(node, until=all_succeeded(20))

        assert limits[:3] == [500, 2, 2]

        def has_grown() -> bool:
            node.loop.duty(claim.Claim).soon()
            node.run_once()
            return limits[-1] == 500

        wait_until(has_grown)


class TestALargeDeletion:
    def test_goes_on_where_there_is_no_other_work(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        detached = [1000] * 5
        monkeypatch.setattr(removals, "detach", lambda _, **__: detached.pop() if detached else 0)
        node = start()
        account = node.loop.duty(Account)

        passes = 0
        while detached:
            node.run_once()
            passes += 1
            assert account.ends_sleep
            assert account.next_at() < time.monotonic() + 0.2
            assert passes < 1000

        wait_until(lambda: node.run_once() >= 0 and not account.ends_sleep)


class TestAFloodOfHints:
    def test_takes_a_tenth_of_the_time(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        node = start()
        node.run_once()
        looks: list[float] = []

        def look(*_: object, **__: object) -> inspection.Inspected:
            looks.append(node.loop.duty(inspection.Inspect).called_at)
            time.sleep(0.004)
            return inspection.Inspected(healed=0, after="")

        monkeypatch.setattr(inspection, "inspect_jobs", look)

        def hear_until(number: int) -> bool:
            node.loop.hear({Hint(Channel.JOBS)})
            node.run_once()
            return len(looks) >= number

        wait_until(lambda: hear_until(5))

        assert min(late - early for early, late in pairwise(looks)) >= 0.04

    @pytest.mark.parametrize(("took", "merged"), [(0.0005, 0.005), (0.002, 0.02), (3.0, 0.05)])
    def test_keeps_an_edit_waiting_as_long_as_the_one_before_it_cost(
        self, start: Start, monkeypatch: pytest.MonkeyPatch, took: float, merged: float
    ) -> None:
        node = start()
        inspected = inspection.Inspected(healed=0, after="")
        monkeypatch.setattr(inspection, "inspect_jobs", lambda *_, **__: inspected)
        monkeypatch.setattr(inspection, "time", SimpleNamespace(monotonic=iter((10.0, 10.0 + took)).__next__))
        inspect = node.loop.duty(inspection.Inspect)

        node.run_once()
        node.loop.hear({Hint(Channel.JOBS)})

        assert inspect.next_at() - inspect.called_at == pytest.approx(merged)


class TestALostAnswer:
    """What the database did, and the node was not told: its session ended before the answer to COMMIT."""

    @pytest.mark.parametrize("passed_the_gate", [False, True], ids=("of a claim", "of a start"))
    def test_is_settled_by_comparing_the_ledger_with_memory(
        self, start: Start, session: Connection, passed_the_gate: bool
    ) -> None:
        due()
        node = start(reconcile_seconds=0.0)
        claim = claims.claim_due(
            session,
            node=node.identity.node,
            tasks={"sample.nothing"},
            limit=10,
            room={"default": 10},
            catch_up_limit=10,
        )
        ids = [run.id for run in claim.owned]
        if passed_the_gate:
            assert runs.start(session, runs=ids, node=node.identity.node).runs == set(ids)

        work(node, until=all_succeeded(1))

        run = Run.objects.get()
        assert ([run.pk], run.attempt) == (ids, 1)

    def test_of_a_claim_is_waited_for_and_nothing_is_doubled(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        due()
        node = start()
        truly_claim = claims.claim_due
        answers = iter([False])

        def claim_and_lose_the_answer(*args: Any, **kwargs: Any) -> Any:
            answer = truly_claim(*args, **kwargs)
            if next(answers, True):
                return answer
            raise DatabaseUnavailable("The answer was lost.")

        monkeypatch.setattr(claims, "claim_due", claim_and_lose_the_answer)
        with pytest.raises(DatabaseUnavailable):
            node.run_once()
        assert Run.objects.get().state == RunState.QUEUED

        work(node, until=all_succeeded(1))

        assert Run.objects.count() == 1

    def test_of_taking_an_old_run_is_settled_after_newer_ones_have_ended(
        self, start: Start, cut: Callable[[str], int]
    ) -> None:
        node = start(reconcile_seconds=0.0)
        old = add_run(
            add_job("old", task="sample.nothing"), due_at=timezone.now() + timedelta(hours=1), task="sample.nothing"
        )
        due()
        work(node, until=all_succeeded(1))
        node.run_once()
        assert node.loop.duty(Reconcile).first_compared > old.pk

        cut("tick")  # its session took the run, and ended before it said so
        Run.objects.filter(pk=old.pk).update(node=node.identity.node, due_at=timezone.now())
        node.loop.hear(ANYTHING)
        with pytest.raises(DatabaseUnavailable):
            node.run_once()
        work(node, until=all_succeeded(2))

        assert Run.objects.get(pk=old.pk).attempt == 1

    def test_is_not_seen_in_a_run_that_ends_while_the_database_is_asked(
        self, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        due()
        node = start(reconcile_seconds=0.0)
        truly_owned = runs.owned

        def owned_before_all_ended(*args: Any, **kwargs: Any) -> dict[int, RunState]:
            found = truly_owned(*args, **kwargs)
            wait_until(lambda: node.workload.is_idle)
            return found

        monkeypatch.setattr(runs, "owned", owned_before_all_ended)
        work(node, until=all_succeeded(1))
        node.run_once()

        assert events.RUNS_RECONCILED not in caplog.messages


class TestTheSessionOfTheTick:
    def test_is_opened_again_when_it_was_cut(self, start: Start, cut: Callable[[str], int]) -> None:
        node = start()
        node.run_once()
        due()
        assert cut("tick") >= 1

        node.loop.hear(ANYTHING)
        with pytest.raises(DatabaseUnavailable):
            node.run_once()
        work(node, until=all_succeeded(1))

        assert Run.objects.count() == 1


class TestThePasses:
    def test_wait_briefly_for_rows_that_others_have_locked(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        """All that is due on this node waits as long. Other threads may wait longer."""
        waits: list[float | None] = []
        original = Connection.transaction

        def transaction(connection: Connection, *, lock_seconds: float | None = None, is_lasting: bool = True) -> Any:
            if threading.current_thread() is threading.main_thread():
                waits.append(lock_seconds)
            return original(connection, lock_seconds=lock_seconds, is_lasting=is_lasting)

        node = start()
        monkeypatch.setattr(Connection, "transaction", transaction)
        due("plain")
        due("limited", task="sample.crowded", kwargs={"host": "example.org"})
        due("to-inspect", needs_inspection=True)
        due("skips", max_instances=1)
        add_run(Job.objects.defer("job_state").get(pk="skips"), state=RunState.RUNNING)
        add_job("paused", due_at=None, task="sample.nothing", state="paused", paused_until=timezone.now() - SECOND)
        add_run(add_job("holds", due_at=None, task="sample.nothing"), held=True)

        work(node, until=all_succeeded(3))
        for duty in (Account, inspection.Inspect, Release, Resume):
            node.loop.ask(duty)
            node.run_once()

        assert waits
        assert all(seconds is not None and seconds <= QUICK_SECONDS for seconds in waits), waits
