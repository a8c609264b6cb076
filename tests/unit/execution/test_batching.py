from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from scheduler.errors import DatabaseUnavailable
from scheduler.execution.batching import Batcher

SOON = 120.0


class Sink:
    """Keeps what is flushed; fails or waits when told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.failures: list[Exception] = []
        self.refused: set[int] = set()
        """Items that it gives back for now."""

        self.may_flush = threading.Event()
        self.may_flush.set()
        self.flushing = threading.Event()
        self.changed = threading.Condition()

    def flush(self, items: Sequence[int]) -> Sequence[int]:
        self.flushing.set()
        assert self.may_flush.wait(SOON)
        with self.changed:
            self.changed.notify_all()
            if self.failures:
                raise self.failures.pop(0)
            self.batches.append([item for item in items if item not in self.refused])
            return [item for item in items if item in self.refused]

    @property
    def items(self) -> list[int]:
        return [item for batch in self.batches for item in batch]

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.items) >= count, SOON)


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def batchers() -> Iterator[list[Batcher[int]]]:
    made: list[Batcher[int]] = []
    yield made
    for batcher in made:
        batcher.stop(timeout=0)


def batcher_of(
    sink: Sink,
    made: list[Batcher[int]],
    *,
    rows: int = 10,
    backlog: int = 100,
    gather_seconds: float = 0.001,
    **weights: Any,
) -> Batcher[int]:
    batcher = Batcher[int](
        name="test", flush=sink.flush, gather_seconds=gather_seconds, rows=rows, backlog=backlog, **weights
    )
    made.append(batcher)
    return batcher


class TestBatcher:
    def test_flushes_in_the_order_of_arrival_and_in_bounded_groups(
        self, sink: Sink, batchers: list[Batcher[int]]
    ) -> None:
        batcher = batcher_of(sink, batchers, rows=4)
        for item in range(10):
            batcher.add(item)

        batcher.start()
        sink.wait_for(10)

        assert sink.items == list(range(10))
        assert [len(batch) for batch in sink.batches] == [4, 4, 2]

    def test_tries_again_what_a_flush_gives_back_behind_what_came_since(
        self, sink: Sink, batchers: list[Batcher[int]]
    ) -> None:
        sink.refused = {1, 4}
        batcher = batcher_of(sink, batchers, rows=3, weigh=lambda item: item, group_weight=100, backlog_weight=100)
        for item in range(6):
            batcher.add(item)

        batcher.start()
        sink.wait_for(4)
        assert sink.items == [0, 2, 3, 5]
        sink.refused = {4}
        sink.wait_for(5)
        sink.refused = set()

        assert batcher.stop(timeout=SOON)
        assert sink.items == [0, 2, 3, 5, 1, 4]
        assert (len(batcher), batcher._weight) == (0, 0)

    def test_gathers_what_comes_shortly_after(self, sink: Sink, batchers: list[Batcher[int]]) -> None:
        batcher = batcher_of(sink, batchers, rows=3, gather_seconds=SOON)
        batcher.start()

        for item in range(3):
            batcher.add(item)
        sink.wait_for(3)

        assert len(sink.batches) == 1

    def test_loses_and_doubles_nothing_that_many_threads_put(self, sink: Sink, batchers: list[Batcher[int]]) -> None:
        batcher = batcher_of(sink, batchers, rows=7, backlog=20)
        batcher.start()
        threads = [
            threading.Thread(target=lambda first=first: [batcher.add(first + n) for n in range(200)])
            for first in (0, 1000, 2000, 3000)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SOON)

        assert batcher.stop(timeout=SOON)
        assert sorted(sink.items) == sorted(first + n for first in (0, 1000, 2000, 3000) for n in range(200))

    def test_makes_put_wait_while_the_backlog_is_full(self, sink: Sink, batchers: list[Batcher[int]]) -> None:
        batcher = batcher_of(sink, batchers, rows=2, backlog=3)
        sink.may_flush.clear()
        for item in range(3):
            batcher.add(item)
        batcher.start()
        assert sink.flushing.wait(SOON)
        was_put = threading.Event()
        fourth = threading.Thread(target=lambda: (batcher.add(3), was_put.set()))

        fourth.start()

        assert not was_put.wait(0.05)
        sink.may_flush.set()
        assert was_put.wait(SOON)
        sink.wait_for(4)

    @pytest.mark.parametrize("failure", [DatabaseUnavailable("away"), RuntimeError("a fault of ours")])
    def test_keeps_and_retries_what_could_not_be_flushed(
        self, sink: Sink, batchers: list[Batcher[int]], failure: Exception
    ) -> None:
        sink.failures = [failure]
        batcher = batcher_of(sink, batchers)
        for item in range(3):
            batcher.add(item)

        batcher.start()
        sink.wait_for(3)

        assert sink.items == [0, 1, 2]
        assert not sink.failures

    def test_goes_on_after_a_failure(self, sink: Sink, batchers: list[Batcher[int]]) -> None:
        sink.failures = [ValueError("once")]
        batcher = batcher_of(sink, batchers)
        batcher.start()
        batcher.add(1)
        sink.wait_for(1)

        batcher.add(2)
        sink.wait_for(2)

        assert sink.items == [1, 2]

    def test_leaves_out_what_is_only_offered_while_the_backlog_is_full(
        self, sink: Sink, batchers: list[Batcher[int]]
    ) -> None:
        batcher = batcher_of(sink, batchers, backlog=2)

        assert [batcher.offer(item) for item in range(3)] == [True, True, False]

        batcher.start()
        sink.wait_for(2)
        assert batcher.offer(3)
        sink.wait_for(3)
        assert sink.items == [0, 1, 3]

    def test_flushes_no_more_at_once_than_may_be_carried(self, sink: Sink, batchers: list[Batcher[int]]) -> None:
        batcher = batcher_of(sink, batchers, weigh=lambda item: item, group_weight=10, backlog_weight=1000)
        for item in (4, 6, 1, 0, 50, 0, 3):
            batcher.add(item)

        batcher.start()
        sink.wait_for(7)

        assert sink.batches == [[4, 6], [1, 0], [50], [0, 3]]

    def test_makes_put_wait_while_the_backlog_is_too_heavy(self, sink: Sink, batchers: list[Batcher[int]]) -> None:
        batcher = batcher_of(sink, batchers, weigh=lambda item: item, group_weight=10, backlog_weight=10)
        batcher.add(9)
        batcher.add(9)
        assert not batcher.offer(1)
        was_put = threading.Event()
        third = threading.Thread(target=lambda: (batcher.add(1), was_put.set()))

        third.start()

        assert not was_put.wait(0.05)
        batcher.start()
        assert was_put.wait(SOON)
        sink.wait_for(3)
        assert batcher.offer(1)


class TestStop:
    def test_writes_what_is_left(self, sink: Sink, batchers: list[Batcher[int]]) -> None:
        batcher = batcher_of(sink, batchers, rows=2, gather_seconds=30)
        batcher.start()
        for item in range(5):
            batcher.add(item)

        assert batcher.stop(timeout=SOON)
        assert sink.items == list(range(5))
        assert len(batcher) == 0

    def test_gives_up_in_time_and_says_so(self, sink: Sink, batchers: list[Batcher[int]]) -> None:
        sink.failures = [DatabaseUnavailable("away")] * 1000
        batcher = batcher_of(sink, batchers)
        batcher.start()
        batcher.add(1)

        assert not batcher.stop(timeout=0.1)
        assert len(batcher) == 1

    def test_lets_go_of_those_that_wait_for_room(self, sink: Sink, batchers: list[Batcher[int]]) -> None:
        sink.failures = [DatabaseUnavailable("away")] * 1000
        batcher = batcher_of(sink, batchers, backlog=1)
        batcher.start()
        batcher.add(1)
        waiting = threading.Thread(target=batcher.add, args=(2,))
        waiting.start()

        batcher.stop(timeout=0.05)
        waiting.join(SOON)

        assert not waiting.is_alive()

    def test_may_be_called_first_and_twice(self, sink: Sink, batchers: list[Batcher[int]]) -> None:
        batcher = batcher_of(sink, batchers)

        assert batcher.stop(timeout=SOON)
        assert batcher.stop(timeout=SOON)
