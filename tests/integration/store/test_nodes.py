from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from scheduler.core import reasons
from scheduler.core.states import NodeState, RunKind, RunState
from scheduler.models import Node, Run
from scheduler.store.liveness import nodes
from scheduler.store.liveness.nodes import Announcement, Beat, Reaped
from scheduler.store.recording import finishing, runs
from scheduler.store.recording.finishing import Outcome
from scheduler.store.sessions.connections import Connection
from tests.integration.store.conftest import Open
from tests.ledger import HOUR, MINUTE, NOON, SECOND, add_job, add_node, add_run

pytestmark = pytest.mark.django_db(transaction=True)

LATER = NOON + MINUTE


def reap(session: Connection, **changes: Any) -> Reaped | None:
    return nodes.reap(
        session, **{"reaper": str(uuid4()), "reap_after_seconds": 30, "max_recoveries": 2, "now": LATER, **changes}
    )


@contextmanager
def held_rows(session: Connection, table: str) -> Iterator[None]:
    """Lock all rows of a table, as a claim or another recorder does."""
    held = session.raw()
    held.autocommit = False
    with held.cursor() as cursor:
        cursor.execute(f"SELECT FROM {table} FOR UPDATE")
        yield
    held.rollback()


def end(session: Connection, run: Run, *, node: str) -> frozenset[int]:
    """Record a success for a node, and return the runs for which it was accepted."""
    outcome = Outcome(run_id=run.pk, state=RunState.SUCCEEDED, started=0, finished=1)
    return finishing.finish(session, outcomes=[outcome], node=node, clock=2).runs


class TestRegister:
    def test_announces_the_node(self, session: Connection, node: str) -> None:
        announcement = Announcement(
            node=node, name="night", host="h", pid=7, version="1.0", executors={"default": 5}, tasks={"b", "a"}
        )
        nodes.register(session, announcement=announcement, now=NOON)

        found = Node.objects.get(pk=node)
        assert (found.state, found.started_at, found.heartbeat_at) == (NodeState.RUNNING, NOON, NOON)
        assert (found.executors, found.tasks, str(found)) == ({"default": 5}, ["a", "b"], "night (7)")


class TestBeat:
    def test_stamps_the_node_with_the_clock_of_the_database(self, session: Connection) -> None:
        node = add_node()

        beat = nodes.beat(session, node=node)

        assert beat is not None
        assert beat.clock == Node.objects.get().heartbeat_at
        assert nodes.beat(session, node=node, now=LATER) == Beat(clock=LATER, is_drained=False)

    @pytest.mark.parametrize("state", [NodeState.LOST, NodeState.STOPPED])
    def test_tells_a_node_that_it_was_taken_for_dead(self, session: Connection, state: NodeState) -> None:
        node = add_node(state=state)

        assert nodes.beat(session, node=node, now=LATER) is None
        assert Node.objects.get().heartbeat_at == NOON


class TestChangeState:
    def test_says_when_the_node_has_stopped(self, session: Connection) -> None:
        node = add_node()
        why = reasons.STOPPED_EARLY(number=2)

        assert nodes.change_state(session, node=node, state=NodeState.STOPPING, now=NOON)
        assert Node.objects.get().stopped_at is None
        assert nodes.change_state(session, node=node, state=NodeState.STOPPED, reason=why, now=LATER)
        row = Node.objects.get()
        assert (row.state, row.reason, row.stopped_at) == (NodeState.STOPPED, why, LATER)
        assert (row.reason_code, row.reason_params) == ("stopped_early", {"number": 2})

    def test_does_not_bring_a_lost_node_back(self, session: Connection) -> None:
        node = add_node(state=NodeState.LOST)

        assert not nodes.change_state(session, node=node, state=NodeState.STOPPING)
        assert Node.objects.get().state == NodeState.LOST


class TestReap:
    def test_marks_only_nodes_that_were_silent_for_too_long(self, session: Connection) -> None:
        silent = add_node(beat_at=LATER - 31 * SECOND, name="silent")
        stopping = add_node(beat_at=LATER - HOUR, name="stopping", state=NodeState.STOPPING)
        alive = add_node(beat_at=LATER - 29 * SECOND)

        found = reap(session)

        assert found is not None
        assert set(found.nodes) == {(silent, "silent"), (stopping, "stopping")}
        assert Node.objects.get(pk=alive).state == NodeState.RUNNING
        assert Node.objects.get(pk=silent).state == NodeState.LOST

    def test_marks_nobody_when_it_is_only_to_deal_with_those_that_are_gone(self, session: Connection) -> None:
        silent = add_node(beat_at=LATER - HOUR)
        stopped = add_run(add_job(), node=add_node(state=NodeState.STOPPED), state=RunState.RUNNING)

        found = reap(session, reap_after_seconds=None)

        assert found is not None
        assert (found.nodes, found.interrupted) == ((), 1)
        assert Node.objects.get(pk=silent).state == NodeState.RUNNING
        assert Run.objects.get(pk=stopped.pk).state == RunState.INTERRUPTED

    def test_returns_queued_runs_to_the_queue(self, session: Connection, node: str) -> None:
        run = add_run(add_job(), node=add_node())

        found = reap(session)

        run.refresh_from_db()
        assert found is not None
        assert (found.requeued, found.interrupted) == (1, 0)
        assert (run.state, run.node, run.attempt) == (RunState.QUEUED, None, 1)

    def test_interrupts_running_runs(self, session: Connection) -> None:
        run = add_run(add_job(), node=add_node(name="night"), state=RunState.RUNNING)

        found = reap(session)

        run.refresh_from_db()
        assert found is not None
        assert (found.interrupted, found.recovered) == (1, 0)
        assert (run.state, run.finished_at) == (RunState.INTERRUPTED, LATER)
        assert run.error is not None
        assert "night" in run.error
        assert Run.objects.count() == 1

    def test_gives_them_a_recovery_where_the_job_wants_one(self, session: Connection) -> None:
        job = add_job(rerun_if_interrupted=True)
        run = add_run(job, node=add_node(), state=RunState.RUNNING, kwargs={"a": 1}, priority=4)

        found = reap(session)

        recovery = Run.objects.get(attempt=2)
        assert found is not None
        assert found.recovered == 1
        assert (recovery.kind, recovery.state, recovery.node) == (RunKind.RECOVERY, RunState.QUEUED, None)
        assert (recovery.previous_id, recovery.scheduled_at, recovery.due_at) == (run.pk, NOON, LATER)
        assert (recovery.job_id, recovery.kwargs, recovery.priority) == ("job", {"a": 1}, 4)

    def test_gives_up_after_max_recoveries(self, session: Connection) -> None:
        job = add_job(rerun_if_interrupted=True)
        add_run(job, node=add_node(), state=RunState.RUNNING)

        for expected in (1, 1, 0):
            found = reap(session)
            assert found is not None
            assert (found.interrupted, found.recovered) == (1, expected)
            Run.objects.active().update(node=add_node(), state=RunState.RUNNING)

        assert list(Run.objects.order_by("attempt").values_list("state", flat=True)) == [RunState.INTERRUPTED] * 3

    def test_deals_with_nodes_that_stopped_and_left_runs_behind(self, session: Connection) -> None:
        stopped = add_node(state=NodeState.STOPPED, beat_at=LATER)
        job = add_job()
        add_run(job, node=stopped)
        add_run(job, scheduled_at=NOON - HOUR, node=stopped, state=RunState.RUNNING)

        found = reap(session)

        assert found is not None
        assert (found.nodes, found.requeued, found.interrupted) == ((), 1, 1)

    def test_leaves_the_runs_of_live_nodes_alone(self, session: Connection) -> None:
        run = add_run(add_job(), node=add_node(beat_at=LATER), state=RunState.RUNNING)

        found = reap(session)

        assert found is not None
        assert found.is_empty
        assert Run.objects.get() == run
        assert Run.objects.get().state == RunState.RUNNING

    def test_deals_with_the_runs_of_nodes_that_nobody_knows_any_more(self, session: Connection) -> None:
        forgotten = uuid4()
        waits = add_run(add_job("waits"), node=forgotten)
        ran = add_run(add_job("ran"), node=forgotten, state=RunState.RUNNING)

        reap(session)

        waits.refresh_from_db()
        ran.refresh_from_db()
        assert (waits.state, waits.node) == (RunState.QUEUED, None)
        assert ran.state == RunState.INTERRUPTED
        assert str(forgotten) in (ran.error or "")

    def test_is_done_by_one_node_at_a_time(self, open_session: Open) -> None:
        add_run(add_job(rerun_if_interrupted=True), node=add_node(), state=RunState.RUNNING)
        one, other = open_session(), open_session()
        with one.transaction() as transaction:
            assert transaction.execute("try_lock", lock=nodes._REAPER_LOCK) == [(True,)]

            assert reap(other) is None

        first, second = reap(one), reap(other)
        assert first is not None
        assert second is not None
        assert (first.recovered, second.is_empty) == (1, True)
        assert Run.objects.count() == 2

    @pytest.mark.parametrize("table", ["scheduler_run", "django_apscheduler_djangojob"])
    def test_leaves_a_run_to_its_node_that_it_could_not_release(self, open_session: Open, table: str) -> None:
        """Whatever the reaper could not lock is not taken over yet, so the outcome of its body is the true one."""
        session, node = open_session(), add_node()
        run = add_run(add_job(rerun_if_interrupted=True), node=node, state=RunState.RUNNING)
        with held_rows(open_session(), table):
            reaped = reap(session)
        assert reaped is not None
        assert (len(reaped.nodes), reaped.interrupted) == (1, 0)

        recorded = end(session, run, node=node)
        reap(session)

        assert recorded == {run.pk}
        assert list(Run.objects.values_list("state", flat=True)) == [RunState.SUCCEEDED]

    def test_takes_no_outcome_of_a_run_that_was_released(self, session: Connection) -> None:
        node = add_node()
        job = add_job(rerun_if_interrupted=True)
        waits, ran = add_run(job, node=node), add_run(job, scheduled_at=NOON - HOUR, node=node, state=RunState.RUNNING)
        reap(session)

        assert end(session, waits, node=node) == end(session, ran, node=node) == set()
        assert sorted(Run.objects.values_list("state", flat=True)) == ["interrupted", "queued", "queued"]

    def test_leaves_no_way_for_the_dead_to_speak(self, session: Connection) -> None:
        node = add_node()
        job = add_job()
        queued = add_run(job, node=node)
        reap(session)

        assert runs.start(session, runs=[queued.pk], node=node).runs == frozenset()
        (taken,) = runs.take(
            session, node=str(uuid4()), executor="default", tasks=["tests.nothing"], limit=9, now=LATER
        )
        assert taken.id == queued.pk
