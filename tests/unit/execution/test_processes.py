"""The process pool while its children start. What children do is tested with real ones, in ``tests/integration``."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from scheduler.conf import SchedulerSettings
from scheduler.core.states import RunState
from scheduler.engine.heartbeat import Identity
from scheduler.execution import processes
from scheduler.execution.child_handle import ChildDidNotStart
from scheduler.execution.pools import Deadline, Timekeeper
from scheduler.execution.processes import ProcessPool
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.runs import OwnedRun
from tests.waiting import wait_until

LONG = 60.0


class FakeChild:
    """A child that is up when the test says so, and answers at once."""

    made: list[FakeChild]

    def __init__(self, *, memory_mb: int | None) -> None:
        self.runs = 0
        self.pid = None
        self.is_alive = True
        self._is_up = threading.Event()
        self.made.append(self)

    def await_ready(self) -> None:
        if not self._is_up.wait(LONG):
            raise TimeoutError("The test let no child start.")
        if not self.is_alive:
            raise ChildDidNotStart

    def start(self) -> None:
        self._is_up.set()

    def belongs_to(self, run_id: int | None) -> None: ...

    def run(self, run: OwnedRun, **_: Any) -> Outcome:
        self.runs += 1
        return Outcome(run_id=run.id, state=RunState.SUCCEEDED, started=0, finished=1)

    def kill(self) -> None:
        self.is_alive = False
        self._is_up.set()

    def close(self) -> None:
        self.kill()


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
        executor="processpool",
    )


class Bench:
    """A pool with one place, and what it reported."""

    def __init__(self) -> None:
        self.outcomes: queue.Queue[Outcome] = queue.Queue()
        self.pool = ProcessPool(
            name="processpool",
            size=1,
            report=lambda _, outcome: self.outcomes.put(outcome),
            publish=lambda _: None,
            identity=Identity(),
            settings=SchedulerSettings(),
        )

    def start(self) -> FakeChild:
        """Start the pool and return its child."""
        self.pool.start()
        wait_until(lambda: bool(FakeChild.made))
        return FakeChild.made[0]

    def ended(self) -> tuple[int, RunState]:
        outcome = self.outcomes.get(timeout=LONG)
        return outcome.run_id, outcome.state


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(FakeChild, "made", [], raising=False)
    monkeypatch.setattr(processes, "Child", FakeChild)
    bench = Bench()
    yield bench
    bench.pool.stop(deadline=Deadline(seconds=0.0, hurry=threading.Event()))


@pytest.fixture
def loses_its_child(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> FakeChild:
    """A run was taken up by a place whose child had died, so that another one starts. Return that one."""
    child = bench.start()
    is_looking, may_look = threading.Event(), threading.Event()
    look = bench.pool._next

    def next_one() -> OwnedRun | None:
        run = look()
        is_looking.set()
        assert may_look.wait(LONG)
        return run

    monkeypatch.setattr(bench.pool, "_next", next_one)
    child.start()
    bench.pool.submit(run_of(1))
    assert is_looking.wait(LONG)
    child.is_alive = False
    may_look.set()
    wait_until(lambda: len(FakeChild.made) == 2)
    return FakeChild.made[1]


class TestACancelledRun:
    def test_ends_while_the_first_child_starts(self, bench: Bench) -> None:
        bench.start()
        bench.pool.submit(run_of(1))

        bench.pool.cancel(1)
        Timekeeper(pools=[bench.pool]).do()

        assert bench.ended() == (1, RunState.CANCELLED)
        assert bench.pool.busy == 0

    def test_ends_while_another_child_starts_for_it(self, bench: Bench, loses_its_child: FakeChild) -> None:
        bench.pool.cancel(1)
        Timekeeper(pools=[bench.pool]).do()

        assert bench.ended() == (1, RunState.CANCELLED)
        assert (bench.pool.busy, bench.pool.begun()) == (0, ())

    def test_leaves_the_child_to_the_next_run(self, bench: Bench, loses_its_child: FakeChild) -> None:
        bench.pool.cancel(1)
        bench.pool.end_cancelled()
        bench.pool.submit(run_of(2))

        loses_its_child.start()

        assert [bench.ended(), bench.ended()] == [(1, RunState.CANCELLED), (2, RunState.SUCCEEDED)]
        assert loses_its_child.runs == 1


class TestARunWhoseChildStarts:
    def test_has_not_begun_and_can_be_taken_back(self, bench: Bench, loses_its_child: FakeChild) -> None:
        assert bench.pool.begun() == ()
        assert bench.pool.take_back() == [run_of(1)]
        assert bench.pool.busy == 0

    def test_begins_in_that_child(self, bench: Bench, loses_its_child: FakeChild) -> None:
        loses_its_child.start()

        assert bench.ended() == (1, RunState.SUCCEEDED)
        assert loses_its_child.runs == 1

    def test_is_left_to_the_node_when_the_pool_stops(self, bench: Bench, loses_its_child: FakeChild) -> None:
        left = bench.pool.stop(deadline=Deadline(seconds=0.0, hurry=threading.Event()))

        assert left == [run_of(1)]
        assert bench.outcomes.empty()
