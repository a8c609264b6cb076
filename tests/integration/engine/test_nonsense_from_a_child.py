from __future__ import annotations

from unittest import mock

import pytest

from scheduler.core.states import RunState
from scheduler.execution.processes import Child
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
