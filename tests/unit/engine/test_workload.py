from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scheduler.conf import SchedulerSettings
from scheduler.core.states import RunState
from scheduler.engine.workload import Workload
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.runs import OwnedRun
from tests.unit.execution.test_pools import Idle, run_of


def owned(run_id: int, **changes: object) -> OwnedRun:
    return run_of(run_id)._replace(scheduled_at=datetime(2027, 3, 1, tzinfo=UTC), **changes)  # type: ignore[arg-type]


@pytest.fixture
def pool() -> Idle:
    return Idle(size=2)


@pytest.fixture
def workload(pool: Idle) -> Workload:
    return Workload(pools={"idle": pool}, settings=SchedulerSettings(prefetch_seconds=0))


class TestRoom:
    def test_shrinks_with_what_waits_and_what_runs(self, workload: Workload, pool: Idle) -> None:
        assert workload.room() == {"idle": 2}

        workload.add([owned(1)])
        assert workload.room() == {"idle": 1}

        pool.submit(owned(2))
        assert workload.room() == {"idle": 0}


class TestNextToStart:
    def test_takes_no_more_than_the_executor_can_use(self, workload: Workload) -> None:
        workload.add([owned(number) for number in range(5)])

        free, gated = workload.next_to_start()

        assert (free, [run.id for run in gated]) == ([], [0, 1])
        assert workload.has_pending("idle")

    def test_begins_no_run_whose_earlier_body_still_lives_here(
        self, workload: Workload, pool: Idle, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As one that skipped the gate, before the node was taken for dead and took it again."""
        workload.add([owned(1), owned(2)])
        monkeypatch.setattr(pool, "begun", lambda: (1,))

        _, gated = workload.next_to_start()
        assert [run.id for run in gated] == [2]
        assert workload.has_pending("idle")

        workload.forget([1])  # that body has ended, and is recorded
        assert workload.next_to_start() == ([], [])
        assert not workload.has_pending("idle")

    def test_begins_a_run_once_that_was_given_back_and_taken_again(self, workload: Workload) -> None:
        """The pacemaker gives back what waits while the interpreter stands still, and the same pass takes it again."""
        workload.add([owned(1)])
        workload.add([owned(1)])

        _, gated = workload.next_to_start()

        assert [run.id for run in gated] == [1]
        assert workload.next_to_start() == ([], [])
        assert not workload.has_pending("idle")

    def test_drops_a_taking_that_was_locked_when_the_run_was_taken_again(self, workload: Workload) -> None:
        workload.add([owned(1)])
        _, locked = workload.next_to_start()
        workload.add([owned(1)])

        workload.requeue(locked)

        assert [run.id for run in workload.next_to_start()[1]] == [1]
        assert not workload.has_pending("idle")

    def test_is_undone_in_order(self, workload: Workload) -> None:
        workload.add([owned(number) for number in range(3)])
        free, gated = workload.next_to_start()

        workload.requeue(free, gated)

        assert [run.id for run in workload.take_back()] == [0, 1, 2]


class TestDifferences:
    def test_are_none_when_both_agree(self, workload: Workload) -> None:
        workload.add([owned(1)])

        assert workload.differences({1: RunState.QUEUED}, known=workload.known()) == ([], [])

    def test_name_what_memory_does_not_know(self, workload: Workload) -> None:
        unbegun, gone = workload.differences({7: RunState.QUEUED, 8: RunState.RUNNING}, known=workload.known())

        assert (sorted(unbegun), gone) == ([7, 8], [])

    def test_name_what_was_started_in_the_database_while_it_waits_here(self, workload: Workload) -> None:
        workload.add([owned(1), owned(2)])

        assert workload.differences({1: RunState.RUNNING, 2: RunState.QUEUED}, known=workload.known()) == ([1], [])
        assert [run.id for run in workload.take_back()] == [2]

    def test_name_what_was_taken_away(self, workload: Workload) -> None:
        workload.add([owned(1), owned(2)])

        assert workload.differences({2: RunState.QUEUED}, known=workload.known()) == ([], [1])
        assert [run.id for run in workload.take_back()] == [2]

    def test_leave_runs_alone_that_are_with_an_executor(self, workload: Workload) -> None:
        workload.add([owned(1)])
        workload.submit(workload.next_to_start()[1], marked=True)

        assert workload.differences({1: RunState.RUNNING}, known=workload.known()) == ([], [])
        assert workload.differences({}, known=workload.known()) == ([], [])


class TestALifeUnderAnotherId:
    """The node was taken for dead while bodies ran, and goes on under the id “new”."""

    @pytest.fixture
    def goes_on(self, workload: Workload) -> Workload:
        workload.add([owned(1), owned(2)])
        workload.submit(workload.next_to_start()[1], marked=True)
        workload.live_on()
        return workload

    def test_owns_nothing_of_the_former_one_and_waits_for_its_bodies(self, goes_on: Workload) -> None:
        assert goes_on.known() == frozenset()
        assert goes_on.get(1) is not None
        assert not goes_on.is_idle

        goes_on.settle([ended(1, node="former"), ended(2, node="former")], node="new")

        assert goes_on.get(1) is None
        assert goes_on.is_idle

    def test_keeps_what_it_took_again_when_the_former_body_ends(self, goes_on: Workload) -> None:
        goes_on.add([owned(1)])

        goes_on.settle([ended(1, node="former")], node="new")

        assert goes_on.known() == {1}, "the database would have a run of this node that memory does not know"
        goes_on.settle([ended(1, node="new")], node="new")
        assert goes_on.known() == frozenset()


def ended(run_id: int, *, node: str) -> Outcome:
    return Outcome(run_id=run_id, state=RunState.SUCCEEDED, started=0, finished=1, node=node)
