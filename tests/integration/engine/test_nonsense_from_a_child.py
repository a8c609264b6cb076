from __future__ import annotations

import os
from unittest import mock

import pytest

from scheduler.core.states import RunState
from scheduler.execution import child_handle
from scheduler.execution.child_handle import Child
from tests.integration.engine.test_process_pool import Bench


@pytest.fixture
def bench():
    bench = Bench(size=1)
    yield bench
    bench.stop()


class TestAnAnswerThatCannotBeUsed:
    def test_fails_its_run_and_leaves_the_pool_its_place(self, bench: Bench) -> None:
        with mock.patch.object(Child, "run", side_effect=ValueError("Expecting value")):
            failed = bench.run("sample.square", number=2)

        assert (failed.state, "cannot be used" in (failed.error or "")) == (RunState.FAILED, True)
        assert bench.run("sample.square", number=2).state == RunState.SUCCEEDED

    @pytest.mark.parametrize("text", ["garbage" * 100, "\x00\x00\x00\x05{}", "\x7f\xff"], ids=["many", "few", "a size"])
    def test_is_garbage_in_every_file_that_the_process_has_open(
        self, text: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(child_handle, "_STALL_SECONDS", 0.5)

        failed = bench.run("sample.garble", text=text)

        assert failed.state == RunState.FAILED
        assert bench.run("sample.square", number=2).state == RunState.SUCCEEDED


class TestAPipeThatWasClosed:
    def test_by_a_task_in_a_thread_costs_the_pool_no_place(self, bench: Bench) -> None:
        assert bench.run("sample.square", number=2).state == RunState.SUCCEEDED
        (child,) = bench.pool._children.values()
        os.close(child._pipe.fileno())

        bench.run("sample.square", number=2)

        assert bench.run("sample.square", number=2).state == RunState.SUCCEEDED


class TestASystemWithoutRoomForAProcess:
    def test_costs_the_pool_no_place(self, bench: Bench) -> None:
        assert bench.run("sample.square", number=2).state == RunState.SUCCEEDED
        begin = Child.__init__
        refused = iter([OSError("Resource temporarily unavailable")])

        def refuse_once(self: Child, **options: object) -> None:
            for error in refused:
                raise error
            begin(self, **options)  # type: ignore[arg-type]

        with mock.patch.object(Child, "__init__", refuse_once):
            assert bench.run("sample.crash", number=9).state == RunState.FAILED
            assert bench.run("sample.square", number=2).state == RunState.SUCCEEDED
