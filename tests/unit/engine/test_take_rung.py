"""How a worker answers the rings that wait in it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from scheduler.engine.worker import take_rung
from scheduler.engine.worker.rings import Received
from scheduler.engine.worker.take_rung import TakeRung
from scheduler.errors import DatabaseUnavailable
from scheduler.remote.executors import Ring


def duty(*, rings: int, free: int, holds: frozenset[int] = frozenset()) -> tuple[TakeRung, list[int]]:
    """Return a duty with so many rings and free places, and the list of runs that it has answered."""
    answered: list[int] = []
    pool = SimpleNamespace(living=lambda: holds)
    workload = SimpleNamespace(pools={"celery": pool}, wanted=lambda _: free)
    work = SimpleNamespace(
        workload=workload, settings=SimpleNamespace(queues=()), connection=None, identity=SimpleNamespace(node="")
    )
    taking = TakeRung(cast(Any, work), cast(Any, None))
    for number in range(1, rings + 1):
        ring = Ring(run=number, attempt=1, ring=1)
        taking.rings.add(Received(ring=ring, answered=lambda number=number: answered.append(number)))  # type: ignore[misc]
    return taking, answered


class TestRingsOfRunsThatWaitNoLonger:
    def test_are_dropped_in_passes_that_follow_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(take_rung.taking, "take", lambda *_, **__: None)
        taking, answered = duty(rings=150, free=1)

        assert taking.run() == 0.0
        assert len(answered) == 100
        assert taking.run() is None
        assert answered == list(range(1, 151))


class TestRings:
    def test_wait_while_all_places_are_taken(self) -> None:
        taking, answered = duty(rings=3, free=0)

        assert taking.run() is None
        assert (answered, len(taking.rings)) == ([], 3)

    def test_of_a_body_that_still_lives_here_wait_for_its_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(take_rung.taking, "take", lambda *_, **__: None)
        taking, answered = duty(rings=3, free=1, holds=frozenset({1}))

        taking.run()

        assert (answered, len(taking.rings)) == ([2, 3], 1)

    def test_are_kept_when_the_answer_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise DatabaseUnavailable("away")

        monkeypatch.setattr(take_rung.taking, "take", fail)
        taking, answered = duty(rings=3, free=1)

        with pytest.raises(DatabaseUnavailable):
            taking.run()
        received = taking.rings.next()
        assert received is not None
        assert (received.ring.run, answered) == (1, [])
