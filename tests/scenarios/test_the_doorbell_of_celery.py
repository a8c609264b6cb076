"""The doorbell of Celery, with the brokers that are supported."""

from __future__ import annotations

import time

import pytest

from scheduler.contrib.celery import bell
from scheduler.contrib.celery.bell import CeleryBell
from scheduler.errors import BrokerUnavailable, UnusableExecutor
from scheduler.remote.executors import Ring
from tests.brokers import Broker

RINGS = [Ring(run=number, attempt=1, ring=1) for number in range(1, 501)]


class TestRinging:
    def test_leaves_one_message_for_each_run_that_says_nothing_else(self, broker: Broker) -> None:
        CeleryBell("bell").ring(RINGS)
        CeleryBell("bell").ring(RINGS[:10])

        assert broker.waiting("bell") == 510
        with bell.application().connection_for_read() as connection:
            message = connection.SimpleQueue("bell").get(timeout=120)
            assert message.payload[:2] == [[], {"run": 1, "attempt": 1, "ring": 1}]
            assert message.headers["task"] == "scheduler.run"
            message.ack()
        broker.forget("bell")

    def test_goes_on_after_the_broker_was_restarted(self, broker: Broker) -> None:
        CeleryBell("restart").ring(RINGS[:3])
        broker.kill()
        with pytest.raises(BrokerUnavailable, match="refused"):
            CeleryBell("restart").ring(RINGS[:3])
        broker.start()

        CeleryBell("restart").ring(RINGS[:7])

        assert broker.waiting("restart") >= 7
        broker.forget("restart")

    def test_takes_no_longer_than_some_seconds_whatever_the_broker_does(self, broker: Broker) -> None:
        CeleryBell("frozen").ring(RINGS[:3])
        broker.freeze()
        began = time.monotonic()
        try:
            with pytest.raises(BrokerUnavailable):
                CeleryBell("frozen").ring(RINGS)
            took = time.monotonic() - began
            assert took < 10 * bell.LONGEST_SECONDS
        finally:
            broker.thaw()
        broker.forget("frozen")


class TestWithoutABroker:
    def test_the_executor_is_refused_by_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
        bell.application.cache_clear()

        with pytest.raises(UnusableExecutor, match=r"celery:scrape.*CELERY_BROKER_URL"):
            CeleryBell("scrape").check()
        bell.application.cache_clear()
