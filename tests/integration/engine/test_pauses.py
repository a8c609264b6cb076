from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from scheduler import conf
from scheduler.core.states import JobState
from scheduler.engine.duties.inspection import break_jobs_without_a_task
from scheduler.engine.duties.resume import MOST_JOBS, end_pauses
from scheduler.models import Job
from scheduler.services import jobs
from scheduler.store.recording import runs
from scheduler.store.sessions.connections import Connection
from tests.integration.engine.test_node import start as start
from tests.ledger import HOUR, MINUTE, NOON, add_job
from tests.nodes import work
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def other(transactional_db: None) -> Iterator[Connection]:
    session = Connection(purpose="test")
    yield session
    session.close()


def pause(id: str = "job", *, until: timedelta = MINUTE, **changes: object) -> Job:
    """Add an hourly job and pause it at noon."""
    job = add_job(id, due_at=NOON + HOUR, **{"task": "sample.nothing", "consecutive_failures": 3, **changes})
    return jobs.pause(job=job, actor="anna", reason="Proxy banned.", until=NOON + until, now=NOON)


def end(session: Connection, *, after: timedelta) -> int:
    return end_pauses(session, settings=conf.get(), now=NOON + after)


class TestEndingAPause:
    def test_resumes_the_job_then_and_not_before(self, session: Connection) -> None:
        job = pause()
        assert end(session, after=MINUTE - timedelta(milliseconds=1)) == 0

        assert end(session, after=MINUTE) == 1

        job.refresh_from_db()
        assert (job.state, job.state_reason, job.paused_until) == (JobState.ACTIVE, "", None)
        assert (job.next_run_time, job.consecutive_failures) == (NOON + HOUR, 0)
        assert (job.state_changed_by, job.state_changed_at) == ("", NOON + MINUTE)
        assert end(session, after=MINUTE) == 0

    def test_makes_up_for_nothing_that_passed_while_no_node_ran(self, session: Connection) -> None:
        job = pause()

        assert end(session, after=timedelta(days=3, minutes=20)) == 1

        job.refresh_from_db()
        assert job.next_run_time == NOON + timedelta(days=3) + HOUR

    def test_finishes_a_job_whose_last_fire_time_passed_meanwhile(self, session: Connection) -> None:
        job = pause(trigger={"type": "date", "run_at": (NOON + MINUTE / 2).isoformat()})

        end(session, after=MINUTE)

        job.refresh_from_db()
        assert (job.state, job.next_run_time) == (JobState.FINISHED, None)

    def test_leaves_a_job_to_the_node_that_has_it(self, session: Connection, other: Connection) -> None:
        pause("a")
        pause("b")
        with session.transaction() as transaction:
            assert len(transaction.execute("pauses_that_end", now=NOON + MINUTE, jobs="{a}", tzdata="9999z")) == 1

            assert end(other, after=MINUTE) == 1

        assert end(session, after=MINUTE) == 1
        assert [job.version for job in Job.objects.all()] == [3, 3]

    @pytest.mark.parametrize("change", [{"args": "text"}, {"kwargs": {"surplus": 1}}, {"trigger": {"type": "moon"}}])
    def test_breaks_a_job_that_cannot_run_any_more(self, session: Connection, change: dict[str, object]) -> None:
        job = pause()
        pause("sound")
        Job.objects.filter(pk="job").update(**change)

        assert end(session, after=MINUTE) == 1

        job.refresh_from_db()
        assert (job.state, job.paused_until, bool(job.state_reason)) == (JobState.BROKEN, None, True)
        assert end(session, after=MINUTE) == 0

    def test_lets_nodes_that_know_the_task_go_on_with_it(self, session: Connection) -> None:
        job = pause()
        Job.objects.update(task="sample.elsewhere")

        assert end(session, after=MINUTE) == 1

        job.refresh_from_db()
        assert (job.state, job.next_run_time) == (JobState.ACTIVE, NOON + HOUR)
        assert break_jobs_without_a_task(session) == 1

    def test_does_nothing_about_what_was_resumed_deleted_or_has_no_end(self, session: Connection) -> None:
        resumed = jobs.resume(job=pause("resumed"), now=NOON)
        jobs.remove(job=pause("deleted"))
        jobs.pause(job=add_job("endless", task="sample.nothing"), now=NOON)

        assert end(session, after=HOUR) == 0

        assert Job.objects.get(pk="resumed").version == resumed.version
        assert Job.objects.get(pk="endless").state == JobState.PAUSED

    def test_resumes_some_at_a_time(self, session: Connection) -> None:
        for number in range(MOST_JOBS + 1):
            add_job(f"job-{number}", due_at=None, task="sample.nothing", state="paused", paused_until=NOON)

        assert [end(session, after=MINUTE) for _ in range(3)] == [MOST_JOBS, 1, 0]


class TestNextDue:
    def test_tells_the_end_of_the_next_pause(self, session: Connection) -> None:
        pause("later", until=HOUR)
        pause("sooner")
        jobs.resume(job=pause("resumed", until=MINUTE / 2), now=NOON)

        assert runs.next_due(session, tasks=[], executors=[], now=NOON).pause == 60


class TestANode:
    def test_ends_a_pause_by_itself(self, start: Callable) -> None:
        node = start()
        job = add_job(task="sample.nothing", due_at=timezone.now() + HOUR)
        jobs.pause(job=job, until=timezone.now() + HOUR)
        Job.objects.filter(pk=job.pk).update(paused_until=timezone.now() + timedelta(seconds=1))

        work(node, until=lambda: Job.objects.get().state == JobState.ACTIVE)

        assert Job.objects.get().next_run_time is not None

    def test_does_not_sleep_over_the_end_of_a_pause(self, start: Callable) -> None:
        node = start(poll_seconds=9000.0)
        job = add_job(task="sample.nothing", due_at=timezone.now() + HOUR)
        jobs.pause(job=job, until=timezone.now() + HOUR)

        assert wait_until(node.run_once) <= HOUR.total_seconds()
