from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from scheduler.core.states import RunState
from scheduler.errors import RunFinished
from scheduler.execution.pools import Timekeeper
from scheduler.execution.threads import ThreadPool
from scheduler.models import Job, Node, Run
from scheduler.services import jobs, runs
from tests.integration.governing.conftest import StartNode, finished, in_state
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


RARE = {
    "heartbeat_seconds": 100.0,
    "lease_seconds": 300.0,
    "reap_after_seconds": 400.0,
    "poll_seconds": 300.0,
    "busy_poll_seconds": 300.0,
    "reconcile_seconds": 300.0,
}
"""A node that does nothing by itself for minutes, except to look at timeouts."""


class TestTheTimekeeper:
    def test_looks_several_times_a_second(self) -> None:
        looked: list[str] = []
        pool = SimpleNamespace(
            name="default",
            end_cancelled=lambda: looked.append("cancelled"),
            end_overdue=lambda: looked.append("overdue"),
        )
        timekeeper = Timekeeper(pools=[cast(Any, pool)])

        assert timekeeper.turn() <= 0.25
        assert sorted(looked) == ["cancelled", "overdue"]


class TestATimeoutInAProcess:
    def test_ends_the_process_and_leaves_the_pool_whole(
        self, start_node: StartNode, job_of: Callable[..., Job]
    ) -> None:
        start_node(processes=1, **RARE)
        finished(jobs.run_now(job=job_of("sample.square", executor="processpool", number=1)))  # the child is up

        slow = finished(jobs.run_now(job=job_of("governed.sleep", executor="processpool", timeout=0.5)))

        after = finished(jobs.run_now(job=job_of("sample.square", executor="processpool", number=3)))

        assert slow.state == RunState.TIMED_OUT
        assert slow.error == "TimedOut: it took longer than its timeout of 0.5 s; its process was ended."
        assert after.result["square"] == 9


class TestATimeoutInAThread:
    def test_is_recorded_at_the_deadline_while_the_code_goes_on(
        self, start_node: StartNode, job_of: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        until, begun = tmp_path / "until", tmp_path / "begun"
        look = ThreadPool.end_overdue
        monkeypatch.setattr(ThreadPool, "end_overdue", lambda pool: look(pool) if begun.exists() else None)
        scheduler = start_node(threads=1, heartbeat_seconds=0.2)
        spin = job_of("governed.spin", until=str(until), begun=str(begun), timeout=0.3)
        spinning = finished(jobs.run_now(job=spin))

        other = finished(jobs.run_now(job=job_of("sample.nothing")))

        assert spinning.state == RunState.TIMED_OUT
        assert "in spin" in spinning.traceback
        assert other.state == RunState.SUCCEEDED
        assert scheduler.node is not None
        assert wait_until(lambda: Node.objects.get(pk=scheduler.node.identity.node).stuck == 1)
        until.touch()
        assert wait_until(lambda: Node.objects.get(pk=scheduler.node.identity.node).stuck == 0)
        spinning.refresh_from_db()
        assert spinning.state == RunState.TIMED_OUT
        assert spinning.result is None

    def test_gives_the_place_back_when_the_code_ends_after_all(
        self, start_node: StartNode, job_of: Callable[..., Job], tmp_path: Path
    ) -> None:
        scheduler = start_node(threads=1, max_stuck_threads=0)
        assert scheduler.node is not None
        pool = scheduler.node.workload.pools["default"]
        until = tmp_path / "until"
        finished(jobs.run_now(job=job_of("governed.spin", until=str(until), timeout=0.3)))

        other = jobs.run_now(job=job_of("sample.nothing"))
        without_a_place = (pool.places, pool.wants(ahead_seconds=10.0), pool.capacity(prefetch_seconds=10.0))
        until.touch()

        assert without_a_place == (0, 0, 0)
        assert finished(other).state == RunState.SUCCEEDED
        assert pool.places == 1

    def test_is_recorded_also_where_the_system_has_no_further_thread(
        self, start_node: StartNode, job_of: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scheduler = start_node(threads=1)
        assert scheduler.node is not None
        pool = scheduler.node.workload.pools["default"]
        monkeypatch.setattr(pool, "_add_thread", lambda: False)
        until = tmp_path / "until"

        run = finished(jobs.run_now(job=job_of("governed.spin", until=str(until), timeout=0.3)))

        assert (run.state, pool.places) == (RunState.TIMED_OUT, 0)
        until.touch()
        assert finished(jobs.run_now(job=job_of("sample.nothing"))).state == RunState.SUCCEEDED

    def test_is_noticed_although_looking_for_it_failed_before(
        self, start_node: StartNode, job_of: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failures = [RuntimeError("a fault of ours")] * 2
        look = ThreadPool.end_overdue

        def fail_first(pool: ThreadPool) -> None:
            if failures:
                raise failures.pop()
            look(pool)

        monkeypatch.setattr(ThreadPool, "end_overdue", fail_first)
        start_node(threads=1)

        run = finished(jobs.run_now(job=job_of("governed.spin", until=str(tmp_path / "until"), timeout=0.3)))

        (tmp_path / "until").touch()
        assert (run.state, failures) == (RunState.TIMED_OUT, [])

    def test_tells_cooperative_code(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        scheduler = start_node(threads=1)

        run = finished(jobs.run_now(job=job_of("governed.listen", timeout=0.3)))

        assert run.state == RunState.TIMED_OUT
        assert scheduler.node is not None
        assert wait_until(lambda: scheduler.node.workload.pools["default"].stuck == 0)

    def test_cancels_a_coroutine(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        scheduler = start_node(threads=1)

        run = finished(jobs.run_now(job=job_of("governed.alisten", timeout=0.3)))

        assert run.state == RunState.TIMED_OUT
        assert scheduler.node is not None
        assert wait_until(lambda: scheduler.node.workload.pools["default"].stuck == 0)


class TestCancel:
    def test_ends_a_queued_run_at_once(self, job_of: Callable[..., Job], start_node: StartNode) -> None:
        run = jobs.run_now(job=job_of("sample.nothing"))

        cancelled = runs.cancel(run=run, actor="anna")

        assert cancelled.state == RunState.CANCELLED
        assert cancelled.reason == "Cancelled by anna before it began."
        start_node()
        later = finished(jobs.run_now(job=job_of("sample.nothing")))
        run.refresh_from_db()
        assert later.state == RunState.SUCCEEDED
        assert run.started_at is None

    def test_reaches_code_in_a_thread_within_a_moment(
        self, start_node: StartNode, job_of: Callable[..., Job], tmp_path: Path
    ) -> None:
        start_node(**RARE)
        begun = tmp_path / "begun"
        run = jobs.run_now(job=job_of("governed.listen", begun=str(begun)))
        wait_until(begun.exists)

        runs.cancel(run=run)
        ended = finished(run, timeout=90)  # by the wake-up: whatever the node does by itself comes later

        assert ended.state == RunState.CANCELLED
        assert ended.reason == "Cancelled while it ran."
        assert ended.error is None

    def test_cancels_a_coroutine(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        start_node()
        run = in_state(jobs.run_now(job=job_of("governed.alisten")), RunState.RUNNING)

        runs.cancel(run=run)

        assert finished(run).state == RunState.CANCELLED

    def test_ends_a_process(self, start_node: StartNode, job_of: Callable[..., Job], tmp_path: Path) -> None:
        start_node(processes=1)
        never = tmp_path / "never"
        run = jobs.run_now(job=job_of("governed.report_and_wait", executor="processpool", until=str(never)))
        wait_until(lambda: Run.objects.get(pk=run.pk).progress is not None)

        runs.cancel(run=run)

        ended = finished(run)
        assert ended.state == RunState.CANCELLED
        assert ended.reason == "Cancelled while it ran; its process was ended."

    def test_of_a_finished_run_is_refused(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        start_node()
        run = finished(jobs.run_now(job=job_of("sample.nothing")))

        with pytest.raises(RunFinished, match=f"The run {run.pk} has finished already: it succeeded"):
            runs.cancel(run=run)


class TestARunThatDies:
    def test_fails_alone_with_the_signal_in_the_error(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        start_node(processes=2)
        crash = jobs.run_now(job=job_of("governed.segfault", executor="processpool"))
        others = [jobs.run_now(job=job_of("sample.square", executor="processpool", number=n)) for n in range(6)]

        assert "SIGSEGV" in (finished(crash).error or "")
        assert [finished(run).state for run in others] == [RunState.SUCCEEDED] * 6

    def test_has_a_memory_limit(self, start_node: StartNode, job_of: Callable[..., Job]) -> None:
        start_node(processes=1, child_memory_mb=1024)

        run = finished(jobs.run_now(job=job_of("governed.grow", executor="processpool")))

        assert run.state == RunState.FAILED
        assert "MemoryError" in (run.error or "")
        after = finished(jobs.run_now(job=job_of("sample.square", executor="processpool", number=2)))
        assert after.state == RunState.SUCCEEDED
