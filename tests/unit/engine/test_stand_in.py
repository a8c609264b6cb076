"""The pacemaker's judgement, with the signs and the process of a node made up."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest

from scheduler.engine import stand_in
from scheduler.engine.stand_in import Limits, StandIn, Suspects
from scheduler.execution.vital_signs import Body, Reading

NODE = "8a857a4a-4db7-4b6f-8533-a83906bad3b3"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Process:
    """The process of the node."""

    is_there = True

    def __init__(self) -> None:
        self.is_stopped = False
        self.used: dict[int, float] = {}
        self.signals: list[int] = []

    def processor_seconds(self, thread: int) -> float:
        return self.used.get(thread, 0.0)

    def end(self, number: int) -> None:
        self.signals.append(number)


class Signs:
    def __init__(self) -> None:
        self.reading = Reading(pulse=1.0, progress=0.0, node=NODE, bodies=())

    def read(self) -> Reading:
        return self.reading


class Deputy:
    """What the pacemaker does in the database."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def step_in(self, reading: Reading, *, runs: Any) -> None:
        self.done.append(("step in", tuple(runs)))

    def beat(self, reading: Reading) -> None:
        self.done.append("beat")

    def step_back(self, reading: Reading) -> None:
        self.done.append("step back")

    def give_up(self, reading: Reading, *, seconds: float) -> None:
        self.done.append("give up")


class Scene:
    def __init__(self, clock: Clock, *, ends_process: bool = True, limit: float | None = 60.0) -> None:
        self.clock = clock
        self.signs, self.process, self.deputy = Signs(), Process(), Deputy()
        self.stand_in = StandIn(
            signs=self.signs,  # type: ignore[arg-type]
            watched=self.process,  # type: ignore[arg-type]
            deputy=lambda: self.deputy,
            limits=Limits(heartbeat_seconds=5.0, stall_seconds=2.0, limit_seconds=limit),
            ends_process=ends_process,
        )

    def passes(self, seconds: float, *, pulse: bool, working: bool = True, **signs: Any) -> None:
        for _ in range(round(seconds / 0.2)):
            self.clock.now += 0.2
            reading = self.signs.reading._replace(**signs)
            if pulse:
                reading = reading._replace(pulse=self.clock.now)
            if working:
                reading = reading._replace(progress=self.clock.now)
            self.signs.reading = reading
            self.stand_in.look()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stand_in, "time", clock)
    return clock


class TestThePacemaker:
    def test_does_nothing_while_the_node_has_its_turns(self, clock: Clock) -> None:
        scene = Scene(clock)

        scene.passes(100, pulse=True)

        assert scene.deputy.done == []

    def test_beats_while_the_interpreter_stands_still_and_steps_back(self, clock: Clock) -> None:
        scene = Scene(clock)
        scene.passes(2, pulse=True, bodies=(Body(thread=5, run=12),))

        scene.passes(9, pulse=False)
        scene.passes(2, pulse=True)

        assert scene.deputy.done == [("step in", (12,)), "beat", "step back"]
        assert scene.process.signals == []

    def test_leaves_a_process_that_is_stopped_to_the_others(self, clock: Clock) -> None:
        scene = Scene(clock)
        scene.passes(2, pulse=True)

        scene.process.is_stopped = True
        scene.passes(100, pulse=False, working=False)

        assert scene.deputy.done == []

    def test_takes_a_machine_that_was_frozen_as_a_whole_for_no_stall(self, clock: Clock) -> None:
        scene = Scene(clock)
        scene.passes(2, pulse=True)

        for _ in range(20):
            clock.now += 30
            scene.stand_in.look()

        assert scene.deputy.done == []

    def test_ends_a_node_that_stands_still_for_too_long_and_beats_no_more(self, clock: Clock) -> None:
        scene = Scene(clock)
        scene.passes(2, pulse=True)

        scene.passes(100, pulse=False)

        assert scene.deputy.done.count("give up") == 1
        assert scene.deputy.done[-1] == "give up"
        assert scene.process.signals == [signal.SIGABRT, signal.SIGKILL]

    def test_leaves_a_node_in_a_process_of_others_to_the_other_nodes(self, clock: Clock) -> None:
        scene = Scene(clock, ends_process=False)
        scene.passes(2, pulse=True)

        scene.passes(100, pulse=False)

        assert scene.deputy.done[-1] == "give up"
        assert scene.process.signals == []

    def test_ends_a_node_whose_threads_have_their_turns_and_do_no_work(self, clock: Clock) -> None:
        scene = Scene(clock)
        scene.passes(2, pulse=True)

        scene.passes(59, pulse=True, working=False)
        assert scene.deputy.done == []
        scene.passes(3, pulse=True, working=False)

        assert scene.process.signals == [signal.SIGABRT, signal.SIGKILL]

    def test_ends_none_without_a_limit(self, clock: Clock) -> None:
        scene = Scene(clock, limit=None)
        scene.passes(2, pulse=True)

        scene.passes(1000, pulse=False, working=False)

        assert "give up" not in scene.deputy.done

    def test_goes_on_watching_when_the_database_cannot_be_spoken_with(
        self, clock: Clock, capsys: pytest.CaptureFixture[str]
    ) -> None:
        scene = Scene(clock)

        def fail() -> Any:
            raise RuntimeError("Django cannot be set up.")

        scene.stand_in._deputy = fail
        scene.passes(2, pulse=True)
        scene.passes(100, pulse=False)

        assert scene.process.signals == [signal.SIGABRT, signal.SIGKILL]
        assert "Django cannot be set up." in capsys.readouterr().err


class TestSuspects:
    def test_are_the_bodies_whose_threads_use_a_processor(self, clock: Clock) -> None:
        process = Process()
        bodies = (Body(thread=1, run=10), Body(thread=2, run=20), Body(thread=0, run=30))
        suspects = Suspects(process, bodies)  # type: ignore[arg-type]

        clock.now += 2
        assert suspects.runs() == (10, 20), "without processor time, all in this process"
        process.used = {1: 0.1, 2: 1.9}
        assert suspects.runs() == (20,)
        process.used = {1: 0.01, 2: 0.2}
        assert suspects.runs() == (20,), "where others use the processors as well, it gets a tenth of one"
        process.used = {1: 0.9, 2: 1.1}
        assert suspects.runs() == (10, 20)
        process.used = {1: 0.01, 2: 0.04}
        assert suspects.runs() == (10, 20), "neither of them computes"


class TestItsProcess:
    def test_starts_without_what_it_needs_only_to_step_in(self) -> None:
        program = "import sys, scheduler.engine.stand_in; print(*sys.modules)"

        loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

        assert {"django", "psycopg2", "psycopg", "pydantic", "apscheduler", "multiprocessing"}.isdisjoint(
            loaded.split()
        )
