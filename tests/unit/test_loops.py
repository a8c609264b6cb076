from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from scheduler import loops
from scheduler.errors import DatabaseUnavailable
from scheduler.loops import Loop, Periodic, Server, Share, Slice, spawn

SOON = 120.0
ROOT = Path(loops.__file__).parent.parent


class Counting(Loop):
    """Takes turns without a pause; raises what it is given."""

    first_backoff_seconds = 0.001
    longest_backoff_seconds = 0.004

    def __init__(self, *faults: Exception, pause: float = 0.0) -> None:
        super().__init__(name="counting", fault="test.counting.failed")
        self.faults = list(faults)
        self.pause = pause
        self.turns = 0
        self.has_turned = threading.Event()
        self.is_closed = False
        self.pauses: list[float] = []

    def turn(self) -> float:
        if self.faults:
            raise self.faults.pop(0)
        self.turns += 1
        self.has_turned.set()
        return self.pause

    def unavailable(self, error: DatabaseUnavailable, *, pause: float) -> None:
        super().unavailable(error, pause=pause)
        self.pauses.append(pause)

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def started() -> Iterator[list[Loop]]:
    made: list[Loop] = []
    yield made
    for loop in made:
        loop.stop()


class TestALoop:
    def test_ends_a_long_pause_when_it_is_stopped_and_closes_once_it_has_ended(self) -> None:
        loop = Counting(pause=1000.0)
        loop.start()
        assert loop.has_turned.wait(SOON)
        assert not loop.is_closed

        assert loop.stop(timeout=SOON)

        assert (loop.turns, loop.is_closed, loop.is_alive) == (1, True, False)

    def test_is_stopped_twice_and_before_it_was_started(self) -> None:
        loop = Counting()
        assert loop.stop()

        loop.start()
        assert loop.has_turned.wait(SOON)

        assert loop.stop(timeout=SOON)
        assert loop.stop(timeout=SOON)

    def test_is_started_again(self, started: list[Loop]) -> None:
        loop = Counting(pause=1000.0)
        loop.start()
        assert loop.has_turned.wait(SOON)
        loop.stop(timeout=SOON)
        loop.has_turned.clear()

        loop.start()
        started.append(loop)

        assert loop.has_turned.wait(SOON)

    def test_goes_on_after_a_fault(self, started: list[Loop], caplog: pytest.LogCaptureFixture) -> None:
        loop = Counting(RuntimeError("a fault of ours"), pause=1000.0)

        loop.start()
        started.append(loop)

        assert loop.has_turned.wait(SOON)
        assert [record.message for record in caplog.records] == ["test.counting.failed"]
        assert caplog.records[0].exc_info is not None

    def test_pauses_longer_while_the_database_stays_away(self, started: list[Loop]) -> None:
        loop = Counting(*[DatabaseUnavailable("away") for _ in range(5)], pause=1000.0)

        loop.start()
        started.append(loop)

        assert loop.has_turned.wait(SOON)
        assert loop.pauses == [0.001, 0.002, 0.004, 0.004, 0.004]

    def test_says_when_its_thread_does_not_end_in_time(self) -> None:
        release = threading.Event()

        class Stubborn(Counting):
            def turn(self) -> float:
                super().turn()
                release.wait(SOON)
                return 0.0

        loop = Stubborn()
        loop.start()
        assert loop.has_turned.wait(SOON)
        try:
            assert not loop.stop(timeout=0.01)
        finally:
            release.set()
        assert loop.stop(timeout=SOON)

    def test_can_stop_itself(self) -> None:
        class Brief(Counting):
            def turn(self) -> float:
                super().turn()
                self.stop()
                return 1000.0

        loop = Brief()
        loop.start()

        assert loop.has_turned.wait(SOON)
        assert loop.stop(timeout=SOON)
        assert loop.turns == 1


class TestAPeriodicLoop:
    def test_keeps_its_period_after_a_failure(self) -> None:
        class Rare(Periodic):
            def do(self) -> None:
                raise NotImplementedError

        assert Rare(name="rare", fault="test.failed", seconds=7.0).backoff_seconds(failures=9) == 7.0


class TestAServer:
    @pytest.mark.parametrize("waits", [True, False], ids=("while it serves", "at once"))
    def test_is_stopped(self, waits: bool) -> None:
        class Serving:
            """As ``socketserver``: ``shutdown`` waits until ``serve_forever`` has returned."""

            def __init__(self) -> None:
                self.serves = threading.Event()
                self.is_told = threading.Event()
                self.has_returned = threading.Event()

            def serve_forever(self) -> None:
                self.serves.set()
                self.is_told.wait()
                self.has_returned.set()

            def shutdown(self) -> None:
                self.is_told.set()
                assert self.has_returned.wait(SOON)

        serving = Serving()
        server = Server(name="server", fault="test.server.failed", server=serving)
        server.start()
        if waits:
            assert serving.serves.wait(SOON)

        assert server.stop(timeout=SOON)


class TestEveryThread:
    def test_is_started_in_one_place(self) -> None:
        found = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / "scheduler").rglob("*.py")
            if re.search(r"\bThread\(|\bTimer\(", path.read_text())
        }

        assert found == {"scheduler/loops.py"}

    def test_ends_with_its_process(self) -> None:
        thread = spawn(lambda: None, name="brief")
        thread.join(SOON)

        assert (thread.daemon, thread.name) == (True, "brief")


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(loops, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


class TestASlice:
    def test_is_halved_while_steps_take_long_and_doubled_while_they_are_quick(self, now: list[float]) -> None:
        part = Slice(seconds=0.1, least=50, most=1000)
        seconds_each = 0.001

        sizes = []
        for _ in range(6):
            with part.spent() as size:
                sizes.append(size)
                now[0] += size * seconds_each
        assert sizes == [1000, 500, 250, 125, 125, 125]

        seconds_each = 0.00012
        for _ in range(5):
            with part.spent() as size:
                sizes.append(size)
                now[0] += size * seconds_each
        assert sizes[6:] == [125, 250, 500, 500, 500]

    def test_stays_within_its_bounds_whatever_fails(self, now: list[float]) -> None:
        part = Slice(seconds=0.1, least=50, most=1000)

        def be_slow() -> None:
            now[0] += 10
            raise ValueError("too slow")

        for _ in range(20):
            with pytest.raises(ValueError, match="too slow"), part.spent():
                be_slow()
        assert part.size == 50
        for _ in range(20):
            with part.spent():
                pass
        assert part.size == 1000


class TestAShare:
    def test_is_all_of_the_time_while_it_is_quick(self, now: list[float]) -> None:
        share = Share(quick_seconds=0.1, rest=20)

        with share.spent():
            now[0] += 0.09

        assert share.is_due
        assert share.seconds == 0

    def test_is_a_small_one_after_it_took_long_or_failed(self, now: list[float]) -> None:
        share = Share(quick_seconds=0.1, rest=20)

        def be_slow() -> None:
            now[0] += 0.5
            raise ValueError("too slow")

        with pytest.raises(ValueError, match="too slow"), share.spent():
            be_slow()
        with share.spent():  # something quick beside it
            pass

        assert not share.is_due
        assert share.seconds == pytest.approx(10)
        now[0] += 10
        assert share.is_due
