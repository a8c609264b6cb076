from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator

import pytest
from apscheduler.events import EVENT_JOB_EXECUTED, JobExecutionEvent

from scheduler import conf
from scheduler.engine.scheduler import DurableScheduler
from scheduler.models import Run
from scheduler.services import jobs
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

NEVER = {"type": "date", "run_at": "2100-01-01T00:00:00Z"}


@pytest.fixture
def scheduler(transactional_db: None) -> Iterator[DurableScheduler]:
    scheduler = DurableScheduler(settings=dataclasses.replace(conf.get(), processes=0))
    yield scheduler
    scheduler.shutdown()


class TestAListener:
    def test_that_blocks_or_raises_holds_nothing_up(self, scheduler: DurableScheduler) -> None:
        release, heard = threading.Event(), []

        def block(event: JobExecutionEvent) -> None:
            release.wait(120)
            heard.append(event.job_id)
            raise ValueError("a listener of the project fails")

        scheduler.add_listener(block, EVENT_JOB_EXECUTED)
        scheduler.start()
        for name in ("first", "second", "third"):
            jobs.run_now(job=jobs.create(id=name, task="sample.nothing", trigger=NEVER))

        wait_until(lambda: Run.objects.filter(state="succeeded").count() == 3)
        assert heard == []

        release.set()
        wait_until(lambda: sorted(heard) == ["first", "second", "third"])
