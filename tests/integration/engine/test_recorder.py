from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic_ns
from typing import Any
from uuid import uuid4

import pytest

from scheduler.core.states import RunState
from scheduler.engine.identity import Identity
from scheduler.execution.recorder import Recorder
from scheduler.models import Job, Run
from scheduler.store.recording import finishing
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
        job = add_job()
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
    desk.recorder.stop(timeout=5)


class TestTheRecorder:
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
        assert cut("recorder") == 1

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

        assert desk.recorder.stop(timeout=10)

        assert set(Run.objects.values_list("state", flat=True)) == {RunState.SUCCEEDED}
