from __future__ import annotations

import dataclasses
from unittest import mock

import pytest

from scheduler import conf
from scheduler.engine.loop import NodeLoop
from scheduler.engine.scheduler import DurableScheduler
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class TestALoopThatMakesNoProgress:
    def test_is_noticed_although_its_thread_exists_and_is_over_when_it_goes_on(self) -> None:
        settings = dataclasses.replace(conf.get(), processes=0, answer_timeout_seconds=2.0, poll_seconds=0.1)
        scheduler = DurableScheduler(settings=settings)
        with mock.patch("scheduler.engine.scheduler.LONGEST_PAUSE_SECONDS", 0.2):
            scheduler.start()
            try:
                wait_until(lambda: scheduler.stalled_seconds == 0.0)
                with mock.patch.object(NodeLoop, "run", side_effect=RuntimeError("a fault of ours")):
                    wait_until(lambda: scheduler.stalled_seconds > 0.0)

                wait_until(lambda: scheduler.stalled_seconds == 0.0)
            finally:
                scheduler.shutdown(wait=False)

        assert scheduler.stalled_seconds == 0.0
