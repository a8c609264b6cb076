from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from time import monotonic_ns
from typing import Any
from uuid import uuid4

import pytest

from scheduler.core.states import RunState
from scheduler.engine.heartbeat import Identity
from scheduler.execution.recorder import Recorder
from scheduler.models import Counter, Job, Run
from scheduler.store.recording import finishing, rollups, runs
from scheduler.store.recording.finishing import Note, Outcome
from scheduler.store.sessions.connections import Connection
from tests.ledger import MINUTE, NOON, add_job, add_run
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class Desk:
    """A recorder, and what it said of the runs that it was given."""

    def __init__(self) -> None:
        self.identity = Identity()
        self.settled: list[int] = []
        self.released = 0
        self.recorder = Recorder(
            identity=self.identity,
            settled=self._settle,
            released=self._release,
            gather_seconds=0.05,
            rows=100,
            backlog=1000,
        )

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        self.settled += [outcome.run_id for outcome in outcomes]

    def _release(self) -> None:
        self.released += 1

    def running(self, count: int = 1, **changes: Any) -> list[Run]:
        job = Job.objects.filter(pk="job").first() or add_job()
        values: dict[str, Any] = {"node": self.identity.node, "state": RunState.RUNNING, **changes}
        return [add_run(job, scheduled_at=NOON - number * MINUTE, **values) for number in range(count)]

    def add(self, run: Run, **changes: Any) -> None:
        self.recorder.add(outcome_of(run, **changes))

    def await_settled(self, count: int) -> None:
        wait_until(lambda: len(self.settled) >= count)


def outcome_of(run: Run, **changes: Any) -> Outcome:
    now = monotonic_ns() // 1000
    return Outcome(run_id=run.pk, **{"state": RunState.SUCCEEDED, "started": now - 1000, "finished": now, **changes})


@pytest.fixture
def desk(transactional_db: None) -> Iterator[Desk]:
    desk = Desk()
    desk.recorder.start()
    yield desk
    desk.recorder.stop(timeout=60)


class TestTheRecorder:
    def test_adds_up_the_counters_that_it_has_done_with(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rollups, "CHANGES_OF_A_KEY", 1)

        for number, run in enumerate(desk.running(5), start=1):
            desk.add(run)
            desk.await_settled(number)

        wait_until(lambda: Counter.objects.filter(node=desk.identity.node, runs=4).exists())
        assert list(Counter.objects.exclude(node=desk.identity.node).values_list("runs", flat=True)) == [1]

    def test_writes_outcomes_and_says_so(self, desk: Desk) -> None:
        first, second = desk.running(2)

        desk.add(first, result='{"new": 1}')
        desk.add(second, state=RunState.FAILED, error="ValueError: no", traceback="…")
        desk.await_settled(2)

        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.state, first.result, first.error) == (RunState.SUCCEEDED, {"new": 1}, None)
        assert (second.state, second.result, second.error) == (RunState.FAILED, None, "ValueError: no")

    def test_splits_a_batch_until_what_the_database_refuses_is_alone(self, desk: Desk) -> None:
        found = desk.running(20)

        for number, run in enumerate(found):
            poison = {3: {"result": '"\\u0000"'}, 11: {"state": RunState.FAILED, "error": "NUL: \x00"}}.get(number, {})
            desk.add(run, **{"result": str(number), **poison})
        desk.await_settled(20)

        stored = {run.pk: run for run in Run.objects.all()}
        for number, run in enumerate(found):
            expected = "failed" if number == 11 else "succeeded"
            assert stored[run.pk].state == expected
            if number not in (3, 11):
                assert stored[run.pk].result == number
        assert stored[found[3].pk].result is None
        assert "could not be stored" in (stored[found[11].pk].error or "")
        assert desk.recorder.refused == 0

    def test_lets_no_refused_progress_hold_up_outcomes(self, desk: Desk) -> None:
        shown, ended = desk.running(2)

        desk.recorder.note(Note(run_id=shown.pk, progress="no JSON", log=""))
        desk.add(ended)
        desk.await_settled(1)

        ended.refresh_from_db()
        assert ended.state == RunState.SUCCEEDED

    def test_refuses_what_another_node_owns_by_now(self, desk: Desk) -> None:
        mine, lost = desk.running(2)
        Run.objects.filter(pk=lost.pk).update(node=uuid4())

        desk.add(mine)
        desk.add(lost)
        desk.await_settled(2)

        lost.refresh_from_db()
        assert lost.state == RunState.RUNNING
        assert desk.recorder.refused == 1

    def test_does_not_take_its_own_former_write_for_a_refusal(self, desk: Desk, session: Connection) -> None:
        (run,) = desk.running()
        finishing.finish(session, outcomes=[outcome_of(run)], node=desk.identity.node, clock=monotonic_ns() // 1000)

        desk.add(run)
        desk.await_settled(1)

        assert desk.recorder.refused == 0

    def test_goes_on_after_the_database_was_away(self, desk: Desk, cut: Callable[[str], int]) -> None:
        first, second = desk.running(2)
        desk.add(first)
        desk.await_settled(1)
        assert cut("recorder") >= 1

        desk.add(second)
        desk.await_settled(2)

        assert set(Run.objects.values_list("state", flat=True)) == {RunState.SUCCEEDED}

    def test_lets_a_held_run_of_the_same_job_wait_in_line(self, desk: Desk) -> None:
        (run,) = desk.running()
        held = add_run(run.job, scheduled_at=NOON - 9 * MINUTE, due_at=run.created_at, held=True)
        Run.objects.filter(pk=held.pk).update(due_at="2020-01-01T00:00Z")

        desk.add(run)
        desk.await_settled(1)
        wait_until(lambda: desk.released)

        held.refresh_from_db()
        assert not held.held

    @pytest.mark.parametrize("table", ["django_apscheduler_djangojob WHERE id", "scheduler_job WHERE djangojob_ptr_id"])
    def test_waits_for_nobody_who_has_locked_a_job(self, desk: Desk, session: Connection, table: str) -> None:
        running = {"node": desk.identity.node, "state": RunState.RUNNING}
        theirs, late = (
            add_run(add_job(id, consecutive_failures=failures), **running)
            for id, failures in (("theirs", 0), ("late", 1))
        )
        others = desk.running(5)
        failed = {"state": RunState.FAILED, "error": "ValueError: no"}
        held = session.raw()
        held.autocommit = False
        with held.cursor() as cursor:
            cursor.execute(f"SELECT FROM {table} IN ('theirs', 'late') FOR NO KEY UPDATE")

            desk.add(theirs, **failed)
            desk.add(late)  # its success would end the count of failures
            for run in others:
                desk.add(run, **failed)
            desk.await_settled(6)
            settled = set(desk.settled)
        held.rollback()
        desk.await_settled(7)

        assert settled == {late.pk, *(run.pk for run in others)}
        assert set(Run.objects.values_list("pk", "state")) == {
            (late.pk, RunState.SUCCEEDED),
            *((run.pk, RunState.FAILED) for run in (theirs, *others)),
        }
        counts = dict(Job.objects.values_list("pk", "consecutive_failures"))
        assert counts == {"theirs": 1, "late": 0, "job": 5}

    def test_writes_what_is_left_when_it_stops(self, desk: Desk) -> None:
        found = desk.running(30)
        for run in found:
            desk.add(run)

        assert desk.recorder.stop(timeout=60)

        assert set(Run.objects.values_list("state", flat=True)) == {RunState.SUCCEEDED}


class TestAnAnswerToACommitThatIsLost:
    """The server has committed, and the recorder writes the same outcomes again."""

    @pytest.mark.parametrize(
        "states",
        [states for length in (1, 2, 3) for states in itertools.product("SF", repeat=length)],
        ids="".join,
    )
    @pytest.mark.parametrize("arrive_later", [0, 1, 2])
    def test_leaves_failures_in_the_order_in_which_they_happened(
        self, states: tuple[str, ...], arrive_later: int, session: Connection, transactional_db: None
    ) -> None:
        desk = Desk()
        ended = desk.running(len(states))
        Job.objects.update(consecutive_failures=3, pause_after_failures=None)
        clock = monotonic_ns() // 1000
        outcomes = [
            outcome_of(
                run,
                state=RunState.SUCCEEDED if state == "S" else RunState.FAILED,
                started=clock - 1_000_000,
                finished=clock - 900_000 + 100_000 * place,
            )
            for place, (run, state) in enumerate(zip(ended, states, strict=True))
        ]
        committed = outcomes[: max(0, len(outcomes) - arrive_later)]
        if committed:
            finishing.finish(session, outcomes=committed, node=desk.identity.node, clock=clock)
        desk.recorder._is_unsure = True

        desk.recorder._flush(outcomes)

        in_a_row = 3
        for state in states:
            in_a_row = 0 if state == "S" else in_a_row + 1
        assert Job.objects.get().consecutive_failures == in_a_row
        assert desk.recorder.refused == 0
        desk.recorder.connection.close()


class TestABodyFromAnEarlierLifeOfItsNode:
    """The node was taken for dead, goes on under another id, and has taken the run of an idempotent task again."""

    @pytest.fixture
    def taken_again(self, desk: Desk) -> Run:
        self.former = desk.identity.node
        desk.identity.become(Identity())
        (run,) = desk.running(state=RunState.QUEUED)
        return run

    def test_cannot_end_what_was_taken_again(self, desk: Desk, taken_again: Run) -> None:
        desk.add(taken_again, node=self.former, state=RunState.FAILED, error="of the earlier body")
        desk.await_settled(1)

        taken_again.refresh_from_db()
        assert (taken_again.state, taken_again.error) == (RunState.QUEUED, None)
        assert desk.recorder.refused == 1

    def test_cannot_say_how_far_it_is(self, desk: Desk, taken_again: Run) -> None:
        desk.recorder.note(Note(run_id=taken_again.pk, progress='{"done": 1}', log="x", node=self.former))
        (other,) = desk.running(kind="manual", attempt=2)
        desk.add(other, node=desk.identity.node)
        desk.await_settled(1)

        taken_again.refresh_from_db()
        assert (taken_again.progress, taken_again.log) == (None, "")

    def test_ends_what_is_still_its_own(self, desk: Desk, session: Connection) -> None:
        (run,) = desk.running()
        former = desk.identity.node
        desk.identity.become(Identity())

        desk.add(run, node=former)
        desk.await_settled(1)

        run.refresh_from_db()
        assert (run.state, desk.recorder.refused) == (RunState.SUCCEEDED, 0)

    def test_passes_no_gate(self, desk: Desk, taken_again: Run, session: Connection) -> None:
        started = runs.start(session, runs=[taken_again.pk], node=self.former)

        assert not started.runs

    def test_and_the_body_of_its_new_life_are_recorded_apart(self, desk: Desk, taken_again: Run) -> None:
        desk.add(taken_again, node=self.former, state=RunState.FAILED, error="of the earlier body")
        desk.add(taken_again, node=desk.identity.node, result="1")
        desk.await_settled(2)

        taken_again.refresh_from_db()
        assert (taken_again.state, taken_again.result) == (RunState.SUCCEEDED, 1)
