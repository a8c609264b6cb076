from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from scheduler import conf
from scheduler.core.states import NodeState, RunState
from scheduler.engine import heartbeat as module
from scheduler.engine.heartbeat import Heartbeat, Identity, Lease
from scheduler.models import Node, Run
from scheduler.store.liveness.nodes import Beat
from tests.ledger import NOON, add_job, add_node, add_run
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


class Heart:
    """The heartbeat of a node that is registered."""

    def __init__(self) -> None:
        self.identity = Identity()
        self.lost = 0
        self.woken = 0
        self.beat = Heartbeat(
            identity=self.identity,
            settings=dataclasses.replace(
                conf.get(), heartbeat_seconds=0.05, lease_seconds=20.0, reap_after_seconds=30.0
            ),
            lost=self._lose,
            wake=self._wake,
            stuck=lambda: 0,
        )
        self.identity.node = add_node(started_at="2020-01-01T00:00Z", beat_at="2020-01-01T00:00Z")

    def _lose(self) -> None:
        self.lost += 1

    def _wake(self) -> None:
        self.woken += 1

    def row(self) -> Node:
        return Node.objects.get(pk=self.identity.node)


@pytest.fixture
def heart(transactional_db: None) -> Iterator[Heart]:
    heart = Heart()
    yield heart
    heart.beat.stop()


class TestALease:
    def test_ends_by_itself(self, clock: Clock) -> None:
        lease = Lease(seconds=20)
        assert not lease.is_valid

        lease.renew(since=clock.now)
        clock.now += 19.9
        assert lease.is_valid
        clock.now += 0.2
        assert not lease.is_valid

    def test_counts_from_the_beginning_of_the_heartbeat(self, clock: Clock) -> None:
        lease = Lease(seconds=20)

        lease.renew(since=clock.now - 15)
        clock.now += 6

        assert not lease.is_valid

    def test_can_be_ended(self, clock: Clock) -> None:
        lease = Lease(seconds=20)
        lease.renew(since=clock.now)

        lease.end()

        assert not lease.is_valid


def answer(seconds: float, ahead: timedelta = timedelta(0)) -> Beat:
    """What the database says so many seconds after noon."""
    return Beat(clock=NOON + timedelta(seconds=seconds) + ahead, is_drained=False)


class TestTheHeartbeat:
    def test_gives_a_lease_at_once_and_goes_on(self, heart: Heart) -> None:
        heart.beat.start()

        assert heart.beat.lease.is_valid
        first = heart.row().heartbeat_at
        wait_until(lambda: heart.row().heartbeat_at > first)
        assert heart.lost == 0

    def test_notices_that_the_node_was_taken_for_dead(self, heart: Heart) -> None:
        heart.beat.start()

        Node.objects.update(state=NodeState.LOST)

        wait_until(lambda: heart.woken)
        assert heart.lost
        assert not heart.beat.lease.is_valid

    def test_survives_the_loss_of_its_session(self, heart: Heart, cut: Callable[[str], int]) -> None:
        heart.beat.start()
        assert cut("heartbeat") >= 1
        after = heart.row().heartbeat_at

        wait_until(lambda: heart.row().heartbeat_at > after)

    def test_reaps_nodes_that_are_silent(self, heart: Heart) -> None:
        silent = add_node(beat_at="2020-01-01T00:00Z")
        run = add_run(add_job(), node=silent, state=RunState.RUNNING)

        heart.beat.start()

        wait_until(lambda: Run.objects.get(pk=run.pk).state == RunState.INTERRUPTED)
        wait_until(lambda: heart.woken)
        assert Node.objects.get(pk=silent).state == NodeState.LOST
        assert heart.row().state == NodeState.RUNNING

    def test_judges_nobody_before_all_that_live_have_beaten_after_a_jump(
        self, heart: Heart, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        ahead = timedelta(0)
        monkeypatch.setattr(module.nodes, "beat", lambda *_, **__: answer(clock.now, ahead))
        heart.beat._beat()
        clock.now += 5
        assert heart.beat._beat()

        for jump in (timedelta(hours=1), timedelta(0)):
            ahead = jump
            clock.now += 5
            assert not heart.beat._beat()
            clock.now += 29
            assert not heart.beat._beat()
            clock.now += 2
            assert heart.beat._beat()
        assert caplog.text.count("scheduler.clock.jumped") == 2

    def test_takes_no_slow_answer_for_a_jump(
        self, heart: Heart, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        waits = [0.0, 0.0, 18.0, 0.0]

        def beat(*_: object, **__: object) -> Beat:
            clock.now += waits.pop(0)
            return answer(clock.now)

        monkeypatch.setattr(module.nodes, "beat", beat)
        judged = []
        while waits:
            judged.append(heart.beat._beat())
            clock.now += 5

        assert judged == [False, True, True, True]
        assert "scheduler.clock.jumped" not in caplog.text

    def test_lets_the_others_beat_before_its_first_judgement(
        self, heart: Heart, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module.nodes, "beat", lambda *_, **__: answer(clock.now))
        assert not heart.beat._beat()
        clock.now += 0.06
        assert not heart.beat._beat()
        clock.now += 0.06
        assert heart.beat._beat()

    def test_ends_the_lease_when_it_stops(self, heart: Heart) -> None:
        heart.beat.start()

        heart.beat.stop()

        assert not heart.beat.lease.is_valid
