from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from scheduler.conf import SchedulerSettings
from scheduler.engine.duties import DUTIES, Claim, Duty, LookAhead, Reconcile, Take, Work
from scheduler.engine.loop import NodeLoop
from scheduler.engine.workload import Workload
from scheduler.errors import DatabaseUnavailable
from scheduler.store.sessions.notifications import Channel, Hint
from tests.unit.execution.test_pools import Idle


class Quiet(Duty):
    """Counts its calls."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.calls = 0

    def run(self) -> float | None:
        self.calls += 1
        return None


class Hourly(Quiet):
    every_seconds = 3600.0


class Hinted(Quiet):
    wakes_on = Channel.JOBS
    merge_seconds = 60.0


class Often(Quiet):
    every_seconds = 0.5
    ends_sleep = False


class Failing(Quiet):
    every_seconds = 3600.0
    fault: Exception = DatabaseUnavailable("away")

    def run(self) -> float | None:
        super().run()
        raise self.fault


class NothingOwned:
    """A session with a database that knows of no runs."""

    opened = 1

    def execute(self, statement: str, **parameters: object) -> list[tuple[Any, ...]]:
        answers: dict[str, list[tuple[Any, ...]]] = {"skip_numbers": [(0,)], "next_due": [(None,) * 5]}
        return {**answers, "owned_runs": [], "paused_queues": []}[statement]


def loop_of(*duties: type[Duty], has_lease: bool = True, poll_seconds: float = 500.0) -> NodeLoop:
    settings = SchedulerSettings(poll_seconds=poll_seconds, reconcile_seconds=400.0)
    parts: dict[str, Any] = {
        "identity": SimpleNamespace(node="n"),
        "settings": settings,
        "workload": Workload(pools={"full": Idle(size=0)}, settings=settings),
        "lease": SimpleNamespace(is_valid=has_lease, is_drained=False),
        "events": None,
        "connection": NothingOwned(),
        "positions": None,
        "ringers": None,
    }
    return NodeLoop(Work(**parts), duties=(Reconcile, Take, *duties))


class TestAPass:
    def test_calls_what_is_due_and_sleeps_until_the_earliest_duty(self) -> None:
        loop = loop_of(Hourly)

        pauses = [loop.run() for _ in range(3)]

        assert loop.duty(Hourly).calls == 1
        assert all(300.0 < pause <= 400.0 for pause in pauses)

    def test_sleeps_no_longer_than_polling_allows(self) -> None:
        assert loop_of(Hourly, poll_seconds=2.0).run() == 2.0

    def test_is_not_done_without_the_lease(self) -> None:
        loop = loop_of(Hourly, has_lease=False)

        assert loop.run() > 0
        assert loop.duty(Hourly).calls == 0

    def test_does_not_wake_up_for_a_duty_that_waits_for_others(self) -> None:
        loop = loop_of(Often)

        assert loop.run() > 300.0

        loop.duty(Often).due_at = time.monotonic()
        loop.run()
        assert loop.duty(Often).calls == 2


class TestAHint:
    def test_calls_the_duties_that_wake_on_it(self) -> None:
        loop = loop_of(Hinted, Hourly)
        loop.run()

        loop.hear({Hint(Channel.JOBS)})
        assert loop.run() > 0

        assert (loop.duty(Hinted).calls, loop.duty(Hourly).calls) == (1, 1)

    def test_soon_after_another_one_is_merged_with_it(self) -> None:
        loop = loop_of(Hinted)
        for _ in range(50):
            loop.hear({Hint(Channel.JOBS)})
            pause = loop.run()

        assert loop.duty(Hinted).calls == 1
        assert 0 < pause <= 60.0

        loop.duty(Hinted).called_at -= 60.0
        loop.run()
        assert loop.duty(Hinted).calls == 2


class TestADutyThatFails:
    def test_is_not_repeated_before_its_time(self) -> None:
        loop = loop_of(Failing)

        with pytest.raises(DatabaseUnavailable):
            loop.run()
        loop.run()

        assert loop.duty(Failing).calls == 1

    def test_does_not_keep_the_others_from_being_done(self) -> None:
        class Broken(Failing):
            fault = ValueError("a row that nobody expected")

        loop = loop_of(Broken, Hourly)

        with pytest.raises(ValueError, match="a row that nobody expected"):
            loop.run()

        assert loop.duty(Hourly).calls == 1

    def test_has_memory_compared_with_the_database_in_the_next_pass(self) -> None:
        loop = loop_of(Failing)

        with pytest.raises(DatabaseUnavailable):
            loop.run()

        assert loop.duty(Reconcile).is_due(time.monotonic())


class TestTheDuties:
    def test_are_each_in_the_list_once(self) -> None:
        assert len(set(DUTIES)) == len(DUTIES)
        assert set(DUTIES) == {
            kind for kind in Duty.__subclasses__() if kind.__module__.startswith("scheduler.engine.duties.")
        }

    def test_look_ahead_after_they_claimed(self) -> None:
        assert DUTIES.index(Take) < DUTIES.index(Claim) < DUTIES.index(LookAhead)
