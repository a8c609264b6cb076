from __future__ import annotations

import json
import os
import queue
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest

from scheduler.conf import SchedulerSettings
from scheduler.core.states import RunState
from scheduler.engine.heartbeat import Identity
from scheduler.execution import child as child_process
from scheduler.execution.child_handle import Child, ChildNeverBegan
from scheduler.execution.pools import Deadline
from scheduler.execution.processes import ProcessPool
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.runs import OwnedRun
from tests.waiting import wait_until

LONG = 120.0

_ids = count(1)


def run_of(task: str, **kwargs: Any) -> OwnedRun:
    return OwnedRun(
        id=next(_ids),
        job_id="job",
        job_name="job",
        task=task,
        args="[]",
        kwargs=json.dumps(kwargs),
        scheduled_at=datetime(2027, 3, 1, 12, tzinfo=UTC),
        attempt=1,
        executor="processpool",
    )


class Bench:
    """A process pool, and what it reported."""

    def __init__(self, *, size: int = 1, **settings: Any) -> None:
        self.outcomes: queue.Queue[Outcome] = queue.Queue()
        self.pool = ProcessPool(
            name="processpool",
            size=size,
            report=lambda _, outcome: self.outcomes.put(outcome),
            publish=lambda _: None,
            identity=Identity(),
            settings=SchedulerSettings(**settings),
        )
        self.pool.start()

    def run(self, task: str, **kwargs: Any) -> Outcome:
        """Run one task and return how it ended."""
        self.pool.submit(run_of(task, **kwargs))
        return self.outcomes.get(timeout=LONG)

    def square(self, number: int) -> dict[str, int]:
        outcome = self.run("sample.square", number=number)
        assert outcome.state is RunState.SUCCEEDED, outcome.error
        assert outcome.result is not None
        found: dict[str, int] = json.loads(outcome.result)
        return found

    def stop(self, *, seconds: float = 0.0) -> list[OwnedRun]:
        return self.pool.stop(deadline=Deadline(seconds=seconds, hurry=threading.Event()))


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """One pool for all tests that leave it usable."""
    bench = Bench()
    yield bench
    bench.stop()


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class TestTheProcessPool:
    def test_runs_a_task_in_a_child_and_reports_its_result(self, bench: Bench) -> None:
        found = bench.square(12)

        assert found["square"] == 144
        assert found["pid"] != os.getpid()

    def test_keeps_its_child(self, bench: Bench) -> None:
        assert bench.square(1)["pid"] == bench.square(2)["pid"]

    def test_reports_what_a_task_raises(self, bench: Bench) -> None:
        outcome = bench.run("sample.fail", message="no such lesson")

        assert (outcome.state, outcome.error) == (RunState.FAILED, "ValueError: no such lesson")
        assert "in fail" in outcome.traceback
        assert outcome.finished >= outcome.started

    def test_survives_a_task_that_calls_exit(self, bench: Bench) -> None:
        pid = bench.square(1)["pid"]

        outcome = bench.run("sample.leave", code=3)

        assert (outcome.state, outcome.error) == (RunState.FAILED, "SystemExit: 3")
        assert bench.square(1)["pid"] == pid

    @pytest.mark.parametrize(
        ("task", "kwargs", "reason"),
        [
            ("sample.exit", {"code": 7}, "exit code 7"),
            ("sample.crash", {"number": int(signal.SIGKILL)}, "signal 9 (SIGKILL)"),
            ("sample.crash", {"number": int(signal.SIGSEGV)}, "signal 11 (SIGSEGV)"),
        ],
        ids=("exits", "is killed", "crashes"),
    )
    def test_fails_only_the_run_whose_child_dies(
        self, bench: Bench, task: str, kwargs: dict[str, int], reason: str
    ) -> None:
        outcome = bench.run(task, **kwargs)

        assert outcome.state is RunState.FAILED
        assert outcome.error is not None
        assert outcome.error.startswith("ChildDied: ")
        assert reason in outcome.error
        assert bench.square(3)["square"] == 9

    def test_gives_a_run_that_no_body_began_to_another_child(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pid = bench.square(1)["pid"]
        pipe = bench.pool._children[0]._pipe
        send, was_sent = pipe.send_bytes, threading.Event()
        monkeypatch.setattr(pipe, "send_bytes", lambda message: (send(message), was_sent.set()))
        os.kill(pid, signal.SIGSTOP)  # it is alive, and reads nothing

        bench.pool.submit(run_of("sample.square", number=5))
        assert was_sent.wait(LONG)
        os.kill(pid, signal.SIGKILL)

        assert bench.outcomes.get(timeout=LONG).state is RunState.SUCCEEDED

    def test_fails_a_run_that_no_child_lives_to_begin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tries: list[int] = []

        def die(child: Child, run: OwnedRun, **_: Any) -> Outcome:
            tries.append(run.id)
            child.kill()
            raise ChildNeverBegan("The process was ended by signal 9 (SIGKILL).")

        monkeypatch.setattr(Child, "run", die)
        bench = Bench()
        try:
            outcome = bench.run("sample.square", number=5)
        finally:
            bench.stop()

        assert (outcome.state, len(tries)) == (RunState.FAILED, 3)
        assert outcome.error == "ChildDied: The process was ended by signal 9 (SIGKILL)."

    def test_replaces_a_child_that_died_while_it_was_idle(self, bench: Bench) -> None:
        pid = bench.square(1)["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not bench.pool._children[0].is_alive)

        outcome = bench.run("sample.square", number=4)

        assert outcome.state is RunState.SUCCEEDED, outcome.error

    def test_passes_by_what_a_fork_of_its_child_answers(self, bench: Bench) -> None:
        assert bench.run("sample.fork_and_return").state is RunState.SUCCEEDED

        found = [bench.square(number)["square"] for number in range(3)]

        assert found == [0, 1, 4]

    def test_notices_the_end_of_a_child_whose_fork_keeps_the_pipe_and_ends_that_too(
        self, bench: Bench, tmp_path: Path
    ) -> None:
        pid = tmp_path / "pid"

        outcome = bench.run("sample.fork_and_crash", pid=str(pid))

        assert "signal 9 (SIGKILL)" in (outcome.error or "")
        wait_until(lambda: is_gone(int(pid.read_text())))
        assert bench.square(3)["square"] == 9

    def test_cancels_no_run_that_its_child_took_up_since(self, bench: Bench, tmp_path: Path) -> None:
        bench.square(1)
        child = bench.pool._children[0]
        run = run_of("sample.wait", until=str(tmp_path / "go"))
        bench.pool.submit(run)
        wait_until(lambda: run.id in bench.pool._begun)

        child.end_run(run.id - 1)

        (tmp_path / "go").touch()
        assert bench.outcomes.get(timeout=LONG).state is RunState.SUCCEEDED

    def test_keeps_printing_after_a_task_that_took_its_outputs_away(self, bench: Bench) -> None:
        bench.run("sample.close_outputs")

        outcome = bench.run("sample.print", text="still here")

        assert outcome.state is RunState.SUCCEEDED, outcome.error
        assert "still here" in outcome.log

    def test_says_that_a_task_is_unknown(self, bench: Bench) -> None:
        outcome = bench.run("sample.vanished")

        assert outcome.state is RunState.FAILED
        assert outcome.error is not None
        assert outcome.error.startswith("UnknownTask: No task is registered as “sample.vanished”")

    def test_refuses_arguments_that_do_not_fit(self, bench: Bench) -> None:
        outcome = bench.run("sample.square", number="many")

        assert outcome.error is not None
        assert "number: ••• is not a whole number" in outcome.error


class TestABodyWhoseTimeIsOver:
    @pytest.mark.parametrize(
        ("task", "grace", "kept"),
        [("governed.listen", LONG, True), ("governed.alisten", LONG, True), ("governed.sleep", 0.5, False)],
    )
    def test_may_end_by_itself_for_a_moment(self, task: str, grace: float, kept: bool) -> None:
        bench = Bench(timeout_grace_seconds=grace)
        child = bench.square(1)["pid"]

        bench.pool.submit(run_of(task)._replace(timeout_seconds=0.3))

        outcome = bench.outcomes.get(timeout=LONG)
        assert outcome.state is RunState.TIMED_OUT
        assert (bench.square(2)["pid"] == child) is kept
        bench.stop()


class TestStopping:
    def test_replaces_a_worn_out_child_and_ends_the_last_one(self) -> None:
        bench = Bench(runs_per_child=2)

        pids = [bench.square(n)["pid"] for n in range(3)]
        left = bench.stop(seconds=LONG)

        assert pids[0] == pids[1] != pids[2]
        assert left == []
        assert all(is_gone(pid) for pid in pids)

    def test_kills_what_does_not_end_and_returns_its_run(self, tmp_path: Path) -> None:
        bench = Bench()
        pid = bench.square(1)["pid"]
        run = run_of("sample.wait", until=str(tmp_path / "never"))
        bench.pool.submit(run)
        waiting = run_of("sample.square", number=1)
        bench.pool.submit(waiting)
        wait_until(lambda: run.id in bench.pool._begun)

        assert bench.pool.take_back() == [waiting]
        assert bench.stop() == [run]

        wait_until(lambda: is_gone(pid))
        assert bench.outcomes.empty()


class TestAChild:
    @pytest.mark.parametrize("busy", [False, True], ids=("idle", "busy"))
    def test_ends_when_its_node_does(self, busy: bool, tmp_path: Path) -> None:
        child = Child(memory_mb=None)
        child.await_ready()
        if busy:
            request = child_process.encode_request(run_of("sample.wait", until=str(tmp_path / "never")), node="node")
            child._pipe.send_bytes(request)

        child._pipe.close()

        wait_until(lambda: not child.is_alive)

    def test_takes_what_its_task_started_with_it(self, tmp_path: Path) -> None:
        child = Child(memory_mb=None)
        child.await_ready()
        pid = tmp_path / "pid"
        request = child_process.encode_request(run_of("governed.start_another", pid=str(pid)), node="node")
        child._pipe.send_bytes(request)
        wait_until(pid.exists)

        child._pipe.close()

        wait_until(lambda: is_gone(int(pid.read_text())))
