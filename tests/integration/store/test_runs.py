from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from scheduler.core.states import RunState
from scheduler.models import Rollup, Run
from scheduler.store import statements
from scheduler.store.recording import enqueued, finishing, runs
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.held_runs import HeldRuns
from scheduler.store.sessions.connections import Connection, array
from tests.integration.store.conftest import Open
from tests.ledger import HOUR, MINUTE, NOON, SECOND, TASK, add_job, add_run

pytestmark = pytest.mark.django_db(transaction=True)


def take(session: Connection, node: str, **changes: Any) -> list[int]:
    values: dict[str, Any] = {"executor": "default", "tasks": {TASK}, "limit": 10, "now": NOON}
    return [run.id for run in runs.take(session, node=node, **{**values, **changes})]


def outcome(run: Run, **changes: Any) -> Outcome:
    values: dict[str, Any] = {"state": RunState.SUCCEEDED, "started": 1_000_000, "finished": 3_000_000}
    return Outcome(run_id=run.pk, **{**values, **changes})


def finish(session: Connection, node: str, *outcomes: Outcome) -> frozenset[int]:
    return finishing.finish(session, outcomes=outcomes, node=node, clock=4_000_000, now=NOON).runs


class TestTake:
    def test_makes_waiting_runs_this_nodes_own(self, session: Connection, node: str) -> None:
        run = add_run(add_job(), kwargs={"a": 1})

        (found,) = runs.take(session, node=node, executor="default", tasks={TASK}, limit=5, now=NOON)

        run.refresh_from_db()
        assert (found.id, found.kwargs, found.scheduled_at) == (run.pk, '{"a": 1}', NOON)
        assert (str(run.node), run.state) == (node, RunState.QUEUED)

    def test_takes_the_highest_priority_and_then_the_oldest(self, session: Connection, node: str) -> None:
        job = add_job()
        young = add_run(job, scheduled_at=NOON - SECOND)
        old = add_run(job, scheduled_at=NOON - MINUTE)
        urgent = add_run(job, priority=5)

        assert [take(session, node, limit=1) for _ in range(4)] == [[urgent.pk], [old.pk], [young.pk], []]

    def test_hands_them_over_in_that_order(self, session: Connection, node: str) -> None:
        job = add_job()
        for number in range(12):
            add_run(job, scheduled_at=NOON - number * MINUTE, priority=number // 4)

        taken = take(session, node, limit=50)

        assert taken == list(Run.objects.order_by("-priority", "due_at").values_list("pk", flat=True))

    def test_skips_what_another_node_is_taking(self, open_session: Open, node: str) -> None:
        job = add_job()
        first, second = add_run(job, scheduled_at=NOON - SECOND), add_run(job)
        one, other = open_session(), open_session()
        with one.transaction() as transaction:
            taken = transaction.execute(
                "take_runs", node=str(uuid4()), executor="default", tasks=[TASK], limit=1, now=NOON, only=None
            )
            assert taken[0][0] == first.pk

            assert take(other, node) == [second.pk]

    def test_leaves_what_is_not_for_it(self, session: Connection, node: str) -> None:
        job = add_job()
        add_run(job, executor="processpool")
        add_run(job, scheduled_at=NOON - 1 * MINUTE, task="tests.unknown")
        add_run(job, scheduled_at=NOON - 2 * MINUTE, held=True)
        add_run(job, scheduled_at=NOON - 3 * MINUTE, node=uuid4())
        add_run(job, scheduled_at=NOON - 4 * MINUTE, state=RunState.SUCCEEDED)
        add_run(job, scheduled_at=NOON - 5 * MINUTE, due_at=NOON + SECOND)

        assert take(session, node) == []


class TestStart:
    def test_lets_only_queued_runs_of_this_node_begin(self, session: Connection, node: str) -> None:
        job = add_job()
        mine = add_run(job, node=node)
        theirs = add_run(job, scheduled_at=NOON - 1 * MINUTE, node=uuid4())
        nobodys = add_run(job, scheduled_at=NOON - 2 * MINUTE)
        running = add_run(job, scheduled_at=NOON - 3 * MINUTE, node=node, state=RunState.RUNNING)
        ended = add_run(job, scheduled_at=NOON - 4 * MINUTE, node=node, state=RunState.CANCELLED)

        started = runs.start(
            session, runs=[run.pk for run in (mine, theirs, nobodys, running, ended)], node=node, now=NOON + SECOND
        )

        mine.refresh_from_db()
        assert started.runs == {mine.pk}
        assert (mine.state, mine.started_at) == (RunState.RUNNING, NOON + SECOND)
        assert {run.state for run in Run.objects.exclude(pk__in=[mine.pk, running.pk, ended.pk])} == {RunState.QUEUED}

    def test_opens_once(self, session: Connection, node: str) -> None:
        run = add_run(add_job(), node=node)

        assert runs.start(session, runs=[run.pk], node=node).runs == {run.pk}
        assert runs.start(session, runs=[run.pk], node=node).runs == frozenset()

    def test_changes_no_index(self, node: str) -> None:
        run = add_run(add_job(), node=node)

        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statements.load("start_runs"), {"runs": array([run.pk]), "node": node, "now": NOON})
            cursor.execute("SELECT pg_stat_get_xact_tuples_hot_updated('scheduler_run'::regclass)")
            ((hot,),) = cursor.fetchall()

        assert hot == 1


class TestFinish:
    def test_records_success_and_failure_together(self, session: Connection, node: str) -> None:
        job = add_job()
        plain = add_run(job, node=node, state=RunState.RUNNING, started_at=NOON - HOUR)
        result = add_run(job, scheduled_at=NOON - 1 * MINUTE, node=node)
        failed = add_run(job, scheduled_at=NOON - 2 * MINUTE, node=node, state=RunState.RUNNING)

        recorded = finish(
            session,
            node,
            outcome(plain),
            outcome(result, result='{"new": [1, "a,b", null]}'),
            outcome(failed, state=RunState.FAILED, error='ValueError: "{,}" \\', traceback="line 1\nline 2"),
        )

        for run in (plain, result, failed):
            run.refresh_from_db()
        assert recorded == {plain.pk, result.pk, failed.pk}
        assert (plain.state, plain.started_at, plain.finished_at) == (
            RunState.SUCCEEDED,
            NOON - HOUR,
            NOON - SECOND,
        )
        assert (result.state, result.result) == (RunState.SUCCEEDED, {"new": [1, "a,b", None]})
        assert (result.started_at, result.finished_at) == (NOON - 3 * SECOND, NOON - SECOND)
        assert (failed.state, failed.error, failed.traceback) == (
            RunState.FAILED,
            'ValueError: "{,}" \\',
            "line 1\nline 2",
        )
        assert list(Run.objects.unsuccessful()) == [failed]

    @pytest.mark.parametrize("more", [{}, {"result": "1"}], ids=("plain", "with a result"))
    def test_keeps_the_order_of_times_when_the_clock_was_set_back_meanwhile(
        self, session: Connection, node: str, more: Any
    ) -> None:
        run = add_run(add_job(), node=node, state=RunState.RUNNING, started_at=NOON + HOUR)

        finish(session, node, outcome(run, **more))

        run.refresh_from_db()
        assert (run.started_at, run.finished_at) == (NOON - 3 * SECOND, NOON - SECOND)

    @pytest.mark.parametrize("more", [{}, {"result": "1"}], ids=("plain", "with a result"))
    def test_changes_nothing_that_is_not_this_nodes(self, session: Connection, node: str, more: Any) -> None:
        run = add_run(add_job(), node=uuid4(), state=RunState.RUNNING)

        assert finish(session, node, outcome(run, **more)) == frozenset()
        assert Run.objects.get().state == RunState.RUNNING

    @pytest.mark.parametrize("more", [{}, {"result": "1"}], ids=("plain", "with a result"))
    def test_leads_out_of_no_finished_state(self, session: Connection, node: str, more: Any) -> None:
        run = add_run(add_job(), node=node, state=RunState.INTERRUPTED)

        assert finish(session, node, outcome(run, **more)) == frozenset()
        assert Run.objects.get().state == RunState.INTERRUPTED


class TestSettled:
    def test_tells_which_runs_this_node_has_finished(self, session: Connection, node: str) -> None:
        job = add_job()
        mine = add_run(job, node=node, state=RunState.SUCCEEDED)
        active = add_run(job, scheduled_at=NOON - 1 * MINUTE, node=node)
        theirs = add_run(job, scheduled_at=NOON - 2 * MINUTE, node=uuid4(), state=RunState.SUCCEEDED)
        reaped = add_run(job, scheduled_at=NOON - 3 * MINUTE, node=node, state=RunState.INTERRUPTED)

        found = finishing.settled(session, runs=[run.pk for run in (mine, active, theirs, reaped)], node=node)

        assert found == {mine.pk}


class TestGiveBack:
    def test_lets_any_node_take_the_run(self, session: Connection, node: str) -> None:
        job = add_job()
        queued = add_run(job, node=node)
        passed = add_run(job, scheduled_at=NOON - MINUTE, node=node, state=RunState.RUNNING)

        assert runs.give_back(session, runs=[queued.pk, passed.pk], node=node) == {queued.pk, passed.pk}

        assert set(Run.objects.values_list("state", "node", "started_at")) == {(RunState.QUEUED, None, None)}
        assert take(session, str(uuid4())) == [passed.pk, queued.pk]

    def test_leaves_what_is_not_this_nodes_or_has_ended(self, session: Connection, node: str) -> None:
        job = add_job()
        theirs = add_run(job, node=uuid4())
        ended = add_run(job, scheduled_at=NOON - MINUTE, node=node, state=RunState.SUCCEEDED)

        assert runs.give_back(session, runs=[theirs.pk, ended.pk], node=node) == frozenset()


class TestOwned:
    def test_lists_the_active_runs_of_the_node(self, session: Connection, node: str) -> None:
        job = add_job()
        queued = add_run(job, node=node)
        running = add_run(job, scheduled_at=NOON - 1 * MINUTE, node=node, state=RunState.RUNNING)
        add_run(job, scheduled_at=NOON - 2 * MINUTE, node=node, state=RunState.SUCCEEDED)
        add_run(job, scheduled_at=NOON - 3 * MINUTE, node=uuid4())

        assert runs.owned(session, node=node) == {queued.pk: RunState.QUEUED, running.pk: RunState.RUNNING}


def release(session: Connection, now: datetime = NOON) -> int:
    """Release as a node does that has looked at nothing before."""
    return HeldRuns().release(session, now=now)


class TestReleaseHeld:
    def test_lets_the_oldest_wait_in_line_as_far_as_there_is_room(self, session: Connection) -> None:
        job = add_job(max_instances=2)
        add_run(job, scheduled_at=NOON - HOUR, state=RunState.RUNNING, node=uuid4())
        held = [add_run(job, scheduled_at=NOON - n * MINUTE, held=True) for n in (3, 1, 2)]

        assert release(session) == 1
        assert release(session) == 0

        assert set(Run.objects.filter(held=True)) == {held[1], held[2]}

    def test_releases_none_while_the_job_is_busy(self, session: Connection) -> None:
        job = add_job()
        add_run(job, scheduled_at=NOON - HOUR)
        add_run(job, held=True)

        assert release(session) == 0

    def test_looks_at_each_job_by_itself(self, session: Connection) -> None:
        for name in ("a", "b"):
            job = add_job(name)
            for number in range(3):
                add_run(job, scheduled_at=NOON - number * MINUTE, held=True)

        assert release(session) == 2
        assert set(Run.objects.filter(held=False).values_list("job_key", "scheduled_at")) == {
            ("a", NOON - 2 * MINUTE),
            ("b", NOON - 2 * MINUTE),
        }

    def test_waits_until_the_run_is_due(self, session: Connection) -> None:
        add_run(add_job(), due_at=NOON + SECOND, held=True)

        assert release(session) == 0
        assert release(session, NOON + SECOND) == 1

    def test_leaves_a_job_to_the_node_that_has_locked_it(self, open_session: Open) -> None:
        add_run(add_job(), held=True)
        one, other = open_session(), open_session()
        with one.transaction() as transaction:
            assert transaction.execute("lock_jobs", jobs="{job}")

            assert release(other) == 0
        assert release(other) == 1


class TestExpire:
    def test_does_not_wait_for_a_roll_up_that_somebody_has_locked(self, session: Connection, node: str) -> None:
        run = add_run(add_job(), expires_at=NOON)
        Rollup.objects.create(job_key="job", hour=NOON, last_finished_at=NOON)

        with transaction.atomic():
            assert list(Rollup.objects.select_for_update())
            missed = enqueued.expire(session, node=node, now=NOON + SECOND)

        assert [ended.id for ended in missed] == [run.pk]
        run.refresh_from_db()
        assert run.state == RunState.MISSED


class TestNextDue:
    def ask(self, session: Connection, **changes: Any) -> tuple[float | None, float | None]:
        values: dict[str, Any] = {"tasks": {TASK}, "executors": {"default"}, "now": NOON}
        due = runs.next_due(session, **{**values, **changes})
        return due.job, due.run

    def test_is_nothing_in_an_empty_database(self, session: Connection) -> None:
        assert self.ask(session) == (None, None)

    def test_tells_the_seconds_until_the_next_job_and_run(self, session: Connection) -> None:
        job = add_job(due_at=NOON + MINUTE)
        add_job("later", due_at=NOON + HOUR)
        add_run(job, due_at=NOON + 5 * SECOND)
        add_run(job, scheduled_at=NOON - MINUTE, due_at=NOON + 3 * SECOND, priority=-1)

        assert self.ask(session) == (60, 3)

    def test_is_negative_for_what_is_overdue(self, session: Connection) -> None:
        add_job(due_at=NOON - MINUTE)

        assert self.ask(session) == (-60, None)

    def test_looks_only_at_what_this_node_may_take(self, session: Connection) -> None:
        job = add_job(due_at=NOON, task="tests.unknown")
        add_job("paused", state="paused")
        add_job("new", needs_inspection=True)
        add_run(job)
        mine = add_job("mine", due_at=NOON + MINUTE)
        add_run(mine, executor="processpool")
        add_run(mine, scheduled_at=NOON - 1 * MINUTE, held=True)
        add_run(mine, scheduled_at=NOON - 2 * MINUTE, node=uuid4())

        assert self.ask(session) == (60, None)


class TestSkipNumbers:
    def test_lets_new_runs_have_numbers_that_no_node_has_seen(self, session: Connection) -> None:
        job = add_job()
        seen = add_run(job).pk + 50

        assert runs.skip_numbers(session, seen=seen) == 50

        assert add_run(job, scheduled_at=NOON - SECOND).pk == seen + 1
        assert runs.skip_numbers(session, seen=seen) == 0
