"""
Each guard in the SQL is there for a reason: without it a check fails.

A check is an ordinary test of one promise. It runs twice: with the statements as they are, and with one guard taken
out, when it must fail. So a guard that nobody would miss cannot stay unnoticed, nor a check that sees nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import psycopg2
import pytest

from scheduler.core.states import JobState, NodeState, RunState
from scheduler.models import Job, Node, Run
from scheduler.store import statements
from scheduler.store.claiming import claimed, claims
from scheduler.store.claiming.positions import Positions
from scheduler.store.jobs import definitions
from scheduler.store.jobs.definitions import ApprovedJob
from scheduler.store.liveness import nodes
from scheduler.store.recording import finishing, held_runs, runs
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.held_runs import HeldRuns
from scheduler.store.sessions.connections import Connection, array
from tests.ledger import ANY_JOB, MINUTE, NOON, SECOND, TASK, add_job, add_node, add_run

pytestmark = pytest.mark.django_db(transaction=True)

Check = Callable[[Connection], None]


def claim(session: Connection, **changes: object) -> claimed.Claim:
    values = {"node": str(uuid4()), "tasks": {TASK}, "limit": 10, "room": {"default": 10}, "catch_up_limit": 5}
    return claims.claim_due(session, **{**values, "now": NOON, **changes})  # type: ignore[arg-type]


def take(session: Connection, node: str) -> tuple[runs.OwnedRun, ...]:
    return runs.take(session, node=node, executor="default", tasks={TASK}, limit=10, now=NOON)


def finish(session: Connection, run: Run, node: str, **more: object) -> frozenset[int]:
    outcome = Outcome(run_id=run.pk, state=RunState.SUCCEEDED, started=0, finished=1, **more)  # type: ignore[arg-type]
    return finishing.finish(session, outcomes=[outcome], node=node, clock=1, now=NOON).runs


def reap(session: Connection, **changes: int) -> None:
    values = {"reap_after_seconds": 30, "max_recoveries": 3, **changes}
    nodes.reap(session, reaper=add_node(), now=NOON, **values)


def an_outcome_of_another_node_changes_nothing(session: Connection) -> None:
    for more in ({}, {"result": "1"}):
        run = add_run(add_job(str(uuid4())), state=RunState.RUNNING, node=add_node())
        assert not finish(session, run, add_node(), **more)
        run.refresh_from_db()
        assert run.state == RunState.RUNNING


def an_outcome_that_comes_too_late_changes_nothing(session: Connection) -> None:
    node = add_node()
    for more in ({}, {"result": "1"}):
        run = add_run(add_job(str(uuid4())), state=RunState.INTERRUPTED, node=node)
        assert not finish(session, run, node, **more)
        run.refresh_from_db()
        assert run.state == RunState.INTERRUPTED


def only_the_owner_passes_the_gate(session: Connection) -> None:
    run = add_run(add_job(), node=add_node())
    assert not runs.start(session, runs=[run.pk], node=add_node(), now=NOON).runs


def a_run_passes_the_gate_once(session: Connection) -> None:
    node = add_node()
    run = add_run(add_job(), node=node)
    assert runs.start(session, runs=[run.pk], node=node, now=NOON).runs
    assert not runs.start(session, runs=[run.pk], node=node, now=NOON).runs


def what_another_node_owns_is_not_taken(session: Connection) -> None:
    add_run(add_job(), node=add_node())
    assert not take(session, add_node())


def what_waits_for_its_turn_is_not_taken(session: Connection) -> None:
    add_run(add_job(), held=True)
    assert not take(session, add_node())


def what_is_not_due_is_not_taken(session: Connection) -> None:
    add_run(add_job(), due_at=NOON + SECOND)
    assert not take(session, add_node())


def what_this_node_cannot_run_is_not_taken(session: Connection) -> None:
    add_run(add_job(task="tests.of_a_newer_release"))
    add_run(add_job("elsewhere", executor="gpu"))
    assert not take(session, add_node())


def what_has_finished_is_not_taken(session: Connection) -> None:
    add_run(add_job(), state=RunState.CANCELLED)
    assert not take(session, add_node())


def jobs_that_are_not_active_are_not_claimed(session: Connection) -> None:
    add_job(state="paused")
    assert not claim(session).jobs


def jobs_that_nobody_has_inspected_are_not_claimed(session: Connection) -> None:
    add_job(needs_inspection=True)
    assert not claim(session).jobs


def jobs_with_a_word_of_a_newer_release_are_not_claimed(session: Connection) -> None:
    add_job(overlap="newer")
    assert not claim(session).jobs


def what_a_node_with_newer_rules_plans_is_not_claimed(session: Connection) -> None:
    add_node(tzdata="2999a", tasks=[TASK])
    add_job(trigger={"type": "cron", "expression": "0 12 * * *", "timezone": "UTC"})
    assert not claim(session).jobs


def jobs_of_other_releases_are_not_claimed(session: Connection) -> None:
    add_job(task="tests.of_a_newer_release")
    assert not claim(session).jobs


def jobs_are_not_claimed_before_they_are_due(session: Connection) -> None:
    add_job(due_at=NOON + SECOND)
    assert not claim(session).jobs


def a_claim_does_not_wait_for_another(session: Connection) -> None:
    add_job("first")
    add_job("second", due_at=NOON - SECOND)
    other = Connection(purpose="other")
    try:
        with other.transaction() as transaction:
            transaction.execute("claim_due_jobs", now=NOON, tasks=[TASK], limit=1, **ANY_JOB)
            positions = Positions(whole_seconds=0)
            assert claim(session, positions=positions).jobs == 1
            assert not positions.passed_by(), "it waited for the lock"
    finally:
        other.close()


def a_fire_time_that_is_in_the_ledger_is_an_answer(session: Connection) -> None:
    add_run(add_job())
    assert claim(session).jobs == 1
    assert Run.objects.count() == 1


def only_active_runs_count_against_max_instances(session: Connection) -> None:
    add_run(add_job(), scheduled_at=NOON - MINUTE, state=RunState.SUCCEEDED)
    claim(session)
    assert Run.objects.get(scheduled_at=NOON).state == RunState.QUEUED


def the_living_are_not_reaped(session: Connection) -> None:
    node = add_node(beat_at=NOON - 29 * SECOND)
    reap(session)
    assert Node.objects.get(pk=node).state == NodeState.RUNNING


def a_node_that_has_stopped_is_not_lost(session: Connection) -> None:
    node = add_node(beat_at=NOON - timedelta(hours=1), state=NodeState.STOPPED)
    reap(session)
    assert Node.objects.get(pk=node).state == NodeState.STOPPED


def a_node_that_was_given_up_cannot_beat(session: Connection) -> None:
    assert nodes.beat(session, node=add_node(state=NodeState.LOST), now=NOON) is None


def a_node_that_was_given_up_cannot_change_its_state(session: Connection) -> None:
    assert not nodes.change_state(session, node=add_node(state=NodeState.LOST), state=NodeState.STOPPING, now=NOON)


def runs_of_the_living_stay_theirs(session: Connection) -> None:
    node = add_node()
    queued = add_run(add_job("queued"), node=node)
    running = add_run(add_job("running"), node=node, state=RunState.RUNNING)
    reap(session)
    # Also one that came back to life since it was found silent.
    both = array([queued.pk, running.pk])
    session.execute("requeue_runs_of_ended_nodes", runs=both)
    session.execute("interrupt_runs_of_ended_nodes", runs=both, max_recoveries=3, reason_code="", error="%s", now=NOON)
    queued.refresh_from_db()
    running.refresh_from_db()
    assert (str(queued.node), running.state) == (node, RunState.RUNNING)


def what_had_begun_is_not_handed_on(session: Connection) -> None:
    run = add_run(add_job(), node=add_node(state=NodeState.LOST), state=RunState.RUNNING)
    reap(session)
    run.refresh_from_db()
    assert (run.state, run.node is None) == (RunState.INTERRUPTED, False)


def what_must_not_be_run_again_gets_no_recovery(session: Connection) -> None:
    add_run(add_job(rerun_if_interrupted=False), node=add_node(state=NodeState.LOST), state=RunState.RUNNING)
    reap(session)
    assert Run.objects.count() == 1


def recoveries_end(session: Connection) -> None:
    lost = add_node(state=NodeState.LOST)
    job = add_job(rerun_if_interrupted=True)
    add_run(job, state=RunState.INTERRUPTED, node=lost)
    add_run(job, node=lost, state=RunState.RUNNING, kind="recovery", attempt=2)
    reap(session, max_recoveries=1)
    assert Run.objects.count() == 2


def only_the_owner_gives_back(session: Connection) -> None:
    run = add_run(add_job(), node=add_node())
    assert not runs.give_back(session, runs=[run.pk], node=add_node())


def what_has_finished_is_not_given_back(session: Connection) -> None:
    node = add_node()
    run = add_run(add_job(), node=node, state=RunState.CANCELLED)
    assert not runs.give_back(session, runs=[run.pk], node=node)


def what_a_reaper_ended_does_not_count_as_recorded(session: Connection) -> None:
    node = add_node()
    run = add_run(add_job(), node=node, state=RunState.INTERRUPTED)
    assert not finishing.settled(session, runs=[run.pk], node=node)


def what_another_node_finished_does_not_count_as_recorded(session: Connection) -> None:
    run = add_run(add_job(), node=add_node(), state=RunState.SUCCEEDED)
    assert not finishing.settled(session, runs=[run.pk], node=add_node())


def held_runs_wait_for_room(session: Connection) -> None:
    job = add_job(max_instances=1)
    busy = add_run(job, scheduled_at=NOON - MINUTE)
    add_run(job, held=True)
    assert HeldRuns().release(session, now=NOON) == 0
    assert held_runs.release_behind(session, runs=[busy.pk], now=NOON) == 0


def a_definition_that_changed_meanwhile_is_not_vouched_for(session: Connection) -> None:
    add_job(version=2)
    stale = ApprovedJob(id="job", version=1, trigger="{}", state=JobState.ACTIVE, next_run_time=None)
    with session.transaction() as transaction:
        assert definitions.approve(transaction, fit=[stale]) == 0
    assert Job.objects.get().next_run_time == NOON


GUARDS: tuple[tuple[str, str, str, Check], ...] = (
    ("succeed_runs", "THEN run.node = %(node)s::uuid", "THEN true", an_outcome_of_another_node_changes_nothing),
    ("finish_runs", "THEN run.node = %(node)s::uuid", "THEN true", an_outcome_of_another_node_changes_nothing),
    ("succeed_runs", "ELSE false END", "ELSE true END", an_outcome_that_comes_too_late_changes_nothing),
    ("finish_runs", "ELSE false END", "ELSE true END", an_outcome_that_comes_too_late_changes_nothing),
    ("start_runs", "AND run.node = %(node)s::uuid", "", only_the_owner_passes_the_gate),
    ("start_runs", "AND run.state = 'queued'", "", a_run_passes_the_gate_once),
    ("take_runs", "AND waiting.node IS NULL", "", what_another_node_owns_is_not_taken),
    ("take_runs", "AND NOT waiting.held", "", what_waits_for_its_turn_is_not_taken),
    ("take_runs", "AND waiting.due_at <= coalesce(%(now)s::timestamptz, now())", "", what_is_not_due_is_not_taken),
    ("take_runs", "AND waiting.task = ANY(%(tasks)s::text[])", "", what_this_node_cannot_run_is_not_taken),
    ("take_runs", "waiting.executor = %(executor)s", "true", what_this_node_cannot_run_is_not_taken),
    ("take_runs", "AND waiting.finished_at IS NULL", "", what_has_finished_is_not_taken),
    ("claim_due_jobs", "AND job.state = 'active'", "", jobs_that_are_not_active_are_not_claimed),
    ("claim_due_jobs", "AND NOT job.needs_inspection", "", jobs_that_nobody_has_inspected_are_not_claimed),
    ("claim_due_jobs", "AND job.task = ANY(%(tasks)s::text[])", "", jobs_of_other_releases_are_not_claimed),
    ("claim_due_jobs", "AND job.overlap IN ('skip', 'queue')", "", jobs_with_a_word_of_a_newer_release_are_not_claimed),
    ("claim_due_jobs", "SELECT count(*) = 0", "SELECT true", what_a_node_with_newer_rules_plans_is_not_claimed),
    (
        "claim_due_jobs",
        "parent.next_run_time <= coalesce(%(now)s::timestamptz, now())",
        "true",
        jobs_are_not_claimed_before_they_are_due,
    ),
    ("claim_due_jobs", "SKIP LOCKED", "", a_claim_does_not_wait_for_another),
    (
        "record_plans",
        "ON CONFLICT (job_id, scheduled_at, attempt) DO NOTHING",
        "",
        a_fire_time_that_is_in_the_ledger_is_an_answer,
    ),
    ("count_active_runs", "AND active.finished_at IS NULL", "", only_active_runs_count_against_max_instances),
    ("mark_lost_nodes", "- %(reap_after)s::float8 * interval '1 second'", "", the_living_are_not_reaped),
    ("mark_lost_nodes", "silent.state IN ('running', 'stopping')", "true", a_node_that_has_stopped_is_not_lost),
    ("beat", "AND node.state IN ('running', 'stopping')", "", a_node_that_was_given_up_cannot_beat),
    (
        "change_node_state",
        "AND node.state IN ('running', 'stopping')",
        "",
        a_node_that_was_given_up_cannot_change_its_state,
    ),
    (
        "requeue_runs_of_ended_nodes",
        "AND node.state IN (",
        "AND false AND node.state IN (",
        runs_of_the_living_stay_theirs,
    ),
    ("requeue_runs_of_ended_nodes", "AND orphan.state = 'queued'", "", what_had_begun_is_not_handed_on),
    (
        "interrupt_runs_of_ended_nodes",
        "AND node.state IN (",
        "AND false AND node.state IN (",
        runs_of_the_living_stay_theirs,
    ),
    (
        "interrupt_runs_of_ended_nodes",
        "coalesce(job.rerun_if_interrupted, (run.policies ->> 'rerun_if_interrupted')::boolean, false)",
        "true",
        what_must_not_be_run_again_gets_no_recovery,
    ),
    ("interrupt_runs_of_ended_nodes", "< %(max_recoveries)s", "< %(max_recoveries)s + 9", recoveries_end),
    ("give_back_runs", "AND run.node = %(node)s::uuid", "", only_the_owner_gives_back),
    ("give_back_runs", "AND num_nulls(run.finished_at) = 1", "", what_has_finished_is_not_given_back),
    ("settled_runs", "AND run.state <> 'interrupted'", "", what_a_reaper_ended_does_not_count_as_recorded),
    ("settled_runs", "AND run.node = %(node)s::uuid", "", what_another_node_finished_does_not_count_as_recorded),
    (
        "release_held_runs",
        "least(greatest(job.max_instances - active.runs, 0), %(limit)s)",
        "%(limit)s",
        held_runs_wait_for_room,
    ),
    ("approve_jobs", "AND job.version = fit.version", "", a_definition_that_changed_meanwhile_is_not_vouched_for),
)


@pytest.fixture
def session() -> Connection:
    session = Connection(purpose="test")
    yield session
    session.close()


def names(value: object) -> str:
    return value.__name__ if callable(value) else str(value)[:40]


class TestWithEveryGuard:
    @pytest.mark.parametrize("check", {check: None for *_, check in GUARDS}, ids=names)
    def test_the_promise_holds(self, check: Check, session: Connection) -> None:
        check(session)


class TestWithoutTheGuard:
    @pytest.mark.parametrize(("statement", "guard", "instead", "check"), GUARDS, ids=names)
    def test_its_check_fails(
        self,
        statement: str,
        guard: str,
        instead: str,
        check: Check,
        session: Connection,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        original = statements.load
        assert guard in original(statement)
        mutant = original(statement).replace(guard, instead, 1)
        monkeypatch.setattr(statements, "load", lambda name: mutant if name == statement else original(name))

        # Behind some guards stands a constraint as well: then it is the database that objects.
        with pytest.raises((AssertionError, psycopg2.IntegrityError)):
            check(session)
