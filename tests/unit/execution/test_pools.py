from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import UTC, datetime

import pytest

from scheduler.core.states import RunState
from scheduler.engine.heartbeat import Identity
from scheduler.execution import pools
from scheduler.execution.pools import Deadline, Flow, Pool
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.runs import OwnedRun


class Clock:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pools, "time", clock)
    return clock


def finish(flow: Flow, count: int) -> None:
    for _ in range(count):
        flow.finished()


class TestFlow:
    def test_is_zero_before_anything_ended(self, clock: Clock) -> None:
        flow = Flow()
        clock.now += 1

        assert flow.rate() == 0

    def test_rises_at_once(self, clock: Clock) -> None:
        flow = Flow()
        finish(flow, 50)
        clock.now += 0.1

        assert flow.rate() == pytest.approx(500)

    def test_fades_within_a_few_seconds(self, clock: Clock) -> None:
        flow = Flow()
        finish(flow, 1000)
        clock.now += 1
        flow.rate()
        clock.now += 1

        after_one = flow.rate()
        clock.now += 9
        after_ten = flow.rate()

        assert 300 < after_one < 400
        assert after_ten < 1

    def test_does_not_judge_by_a_moment(self, clock: Clock) -> None:
        flow = Flow()
        finish(flow, 1)
        clock.now += 0.000001

        assert flow.rate() == 0


class Idle(Pool):
    """A pool that runs nothing: what is submitted ends when the test says so."""

    def __init__(self, *, size: int) -> None:
        self.reported: list[int] = []
        self.ended_as: list[RunState] = []
        super().__init__(name="idle", size=size, report=self._note, identity=Identity())

    def begun(self) -> Collection[int]:
        return ()

    def _note(self, run: OwnedRun, outcome: Outcome) -> None:
        self.reported.append(run.id)
        self.ended_as.append(outcome.state)

    def cancel(self, run_id: int) -> None:
        self._to_cancel.add(run_id)

    def take_up(self) -> OwnedRun | None:
        """What a place does when it is free."""
        return self._next()

    def close(self) -> None:
        self._queue.put(None)

    def end_overdue(self) -> None:
        pass

    def start(self) -> None:
        pass

    def stop(self, *, deadline: Deadline) -> list[OwnedRun]:
        return []

    def end(self, run: OwnedRun) -> None:
        self._ended_run(run, Outcome(run_id=run.id, state=RunState.SUCCEEDED, started=0, finished=1))


def run_of(run_id: int) -> OwnedRun:
    return OwnedRun(
        id=run_id,
        job_id="job",
        job_name="job",
        task="task",
        args="[]",
        kwargs="{}",
        scheduled_at=datetime(2027, 3, 1, tzinfo=UTC),
        attempt=1,
        executor="idle",
    )


class TestPool:
    def test_wants_as_many_runs_as_it_has_places(self, clock: Clock) -> None:
        pool = Idle(size=3)
        pool.submit(run_of(1))

        assert pool.busy == 1
        assert pool.wants(ahead_seconds=1) == 2
        assert pool.capacity(prefetch_seconds=1) == 3

    def test_wants_more_the_faster_it_drains(self, clock: Clock) -> None:
        pool = Idle(size=3)
        for number in range(100):
            pool.submit(run_of(number))
            pool.end(run_of(number))
        clock.now += 1

        assert pool.busy == 0
        assert pool.wants(ahead_seconds=0.1) == 13
        assert pool.capacity(prefetch_seconds=0.5) == 53

    def test_never_wants_less_than_nothing(self, clock: Clock) -> None:
        pool = Idle(size=1)
        for number in range(5):
            pool.submit(run_of(number))

        assert pool.wants(ahead_seconds=0) == 0

    def test_takes_back_what_has_not_begun(self) -> None:
        pool = Idle(size=1)
        pool.submit(run_of(1))
        pool.submit(run_of(2))

        assert [run.id for run in pool.take_back()] == [1, 2]
        assert pool.busy == 0
        assert pool.take_back() == []

    def test_gives_no_place_what_was_taken_back(self) -> None:
        pool = Idle(size=1)
        pool.submit(run_of(1))
        pool.take_back()
        pool.submit(run_of(2))

        assert pool.take_up() == run_of(2)

    def test_ends_a_cancelled_run_for_which_no_place_is_free(self) -> None:
        pool = Idle(size=1)
        pool.submit(run_of(1))
        pool.submit(run_of(2))
        pool.cancel(1)

        pool.end_cancelled()

        assert (pool.reported, pool.ended_as) == ([1], [RunState.CANCELLED])
        assert pool.busy == 1
        assert pool.take_up() == run_of(2)

    def test_gives_a_place_to_no_run_that_was_cancelled(self) -> None:
        pool = Idle(size=1)
        pool.submit(run_of(1))
        pool.cancel(1)
        pool.end_cancelled()
        pool.close()

        assert pool.take_up() is None

    def test_leaves_a_cancelled_run_to_the_place_that_took_it_up(self) -> None:
        pool = Idle(size=1)
        pool.submit(run_of(1))
        pool.take_up()
        pool.cancel(1)

        pool.end_cancelled()

        assert pool.reported == []

    def test_counts_a_run_that_was_submitted_twice_as_two(self) -> None:
        """One that was given back may be taken again while its earlier taking waits here."""
        pool = Idle(size=2)
        pool.submit(run_of(1))
        pool.submit(run_of(1))

        assert [pool.take_up(), pool.take_up()] == [run_of(1), run_of(1)]

    def test_reports_each_run_that_ended(self) -> None:
        pool = Idle(size=1)
        pool.submit(run_of(7))

        pool.end(run_of(7))

        assert pool.reported == [7]


class TestDeadline:
    def test_waits_no_longer_than_allowed(self) -> None:
        release = threading.Event()
        thread = threading.Thread(target=release.wait)
        thread.start()

        Deadline(seconds=0.05, hurry=threading.Event()).join([thread])

        assert thread.is_alive()
        release.set()
        thread.join()

    def test_waits_for_nothing_once_somebody_is_in_a_hurry(self) -> None:
        hurry, release = threading.Event(), threading.Event()
        thread = threading.Thread(target=release.wait)
        thread.start()
        threading.Timer(0.05, hurry.set).start()

        Deadline(seconds=60, hurry=hurry).join([thread])

        assert hurry.is_set()
        release.set()
        thread.join()

    def test_returns_as_soon_as_the_threads_have_ended(self) -> None:
        thread = threading.Thread(target=lambda: None)
        thread.start()

        Deadline(seconds=60, hurry=threading.Event()).join([thread])

        assert not thread.is_alive()
