"""How a worker answers the rings that wait in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from scheduler.engine.events import NoEvents
from scheduler.engine.worker import take_rung
from scheduler.engine.worker.rings import Received
from scheduler.engine.worker.take_rung import TakeRung
from scheduler.errors import DatabaseUnavailable
from scheduler.remote.executors import Ring
from scheduler.store.recording.runs import OwnedRun


def duty(*, rings: int, free: int, holds: frozenset[int] = frozenset()) -> tuple[TakeRung, list[int]]:
    """Return a duty with so many rings and free places, and the list of runs that it has answered."""
    answered: list[int] = []
    pool = SimpleNamespace(living=lambda: holds)
    begun: list[OwnedRun] = []
    workload = SimpleNamespace(
        pools={"celery": pool}, wanted=lambda _: free - len(begun), begin=begun.append, shares=lambda _: {}
    )
    work = SimpleNamespace(
        workload=workload,
        settings=SimpleNamespace(queues=()),
        connection=None,
        identity=SimpleNamespace(node=""),
        events=NoEvents(),
    )
    duty = TakeRung(cast(Any, work), cast(Any, None))
    for number in range(1, rings + 1):
        ring = Ring(run=number, attempt=1, ring=1)
        duty.rings.add(Received(ring=ring, answered=lambda number=number: answered.append(number)))  # type: ignore[misc]
    return duty, answered


def owned(number: int) -> OwnedRun:
    return OwnedRun(
        id=number,
        job_id="job",
        job_name="job",
        task="task",
        args="[]",
        kwargs="{}",
        scheduled_at=datetime(2027, 3, 1, tzinfo=UTC),
        attempt=1,
        executor="celery:scrape",
    )


def none_waits(_: Any, *, rings: Sequence[Ring]) -> frozenset[Ring]:
    return frozenset(rings)


class TestRingsOfRunsThatWaitNoLonger:
    def test_are_dropped_in_passes_that_follow_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[int] = []

        def take(_: Any, *, rings: Sequence[Ring], **__: Any) -> Iterator[OwnedRun]:
            asked.extend(ring.run for ring in rings)
            return iter(())

        monkeypatch.setattr(take_rung.taking, "take", take)
        monkeypatch.setattr(take_rung.taking, "stale", none_waits)
        taking, answered = duty(rings=150, free=1)

        assert taking.run() == 0.0
        assert len(answered) == 100
        assert taking.run() is None
        assert answered == list(range(1, 151))
        assert asked == [1, 101]  # the others are looked up together, and need no transaction

    def test_leave_those_in_line_that_wait_still(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def all_but_the_fifth(_: Any, *, rings: Sequence[Ring]) -> frozenset[Ring]:
            return frozenset(ring for ring in rings if ring.run != 5)

        asked: list[int] = []

        def take(_: Any, *, rings: Sequence[Ring], **__: Any) -> Iterator[OwnedRun]:
            asked.extend(ring.run for ring in rings)
            return iter(())

        monkeypatch.setattr(take_rung.taking, "take", take)
        monkeypatch.setattr(take_rung.taking, "stale", all_but_the_fifth)
        taking, answered = duty(rings=10, free=1)

        taking.run()

        assert asked == [1, 5]
        assert sorted(answered) == list(range(1, 11))


class TestRings:
    def test_wait_while_all_places_are_taken(self) -> None:
        taking, answered = duty(rings=3, free=0)

        assert taking.run() is None
        assert (answered, len(taking.rings)) == ([], 3)

    def test_of_a_body_that_still_lives_here_wait_for_its_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(take_rung.taking, "take", lambda *_, **__: iter(()))
        monkeypatch.setattr(take_rung.taking, "stale", lambda *_, **__: frozenset())
        taking, answered = duty(rings=3, free=1, holds=frozenset({1}))

        taking.run()

        assert (answered, len(taking.rings)) == ([2, 3], 1)

    def test_are_asked_about_together_as_far_as_there_are_places(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[list[int]] = []

        def take(_: Any, *, rings: Sequence[Ring], **__: Any) -> Iterator[OwnedRun]:
            asked.append([ring.run for ring in rings])
            return (owned(ring.run) for ring in rings)

        monkeypatch.setattr(take_rung.taking, "take", take)
        taking, answered = duty(rings=8, free=5)

        taking.run()

        assert asked == [[1, 2, 3, 4, 5]]
        assert (answered, len(taking.rings)) == ([1, 2, 3, 4, 5], 3)

    def test_are_kept_in_their_order_when_answers_are_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: Any, *, rings: Sequence[Ring], **__: Any) -> Iterator[OwnedRun]:
            yield owned(rings[0].run)
            raise DatabaseUnavailable("away")

        monkeypatch.setattr(take_rung.taking, "take", fail)
        taking, answered = duty(rings=5, free=3)

        with pytest.raises(DatabaseUnavailable):
            taking.run()

        assert [received.ring.run for received in taking.rings.next_ones(10)] == [2, 3, 4, 5]
        assert answered == [1]  # its body has begun
