"""Whoever moves, clears or deletes what is due, each fire time gets a row."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from apscheduler.jobstores.base import JobLookupError
from django.db import connection, transaction
from django.utils import timezone

from scheduler import conf, failpoints
from scheduler.core import triggers
from scheduler.core.states import JobState, RunKind, RunState
from scheduler.engine.duties.inspection import inspect_jobs
from scheduler.errors import SchedulerError
from scheduler.models import Job, OwedWindow, Run
from scheduler.services import jobs
from scheduler.services import runs as run_services
from scheduler.store.accounting import owed
from scheduler.store.accounting.owed import Gap
from scheduler.store.claiming import claims
from scheduler.store.jobs import definitions
from scheduler.store.jobs import rows as job_rows
from scheduler.store.jobstore import PostgresJobStore
from scheduler.store.recording import finishing
from scheduler.store.recording.finishing import Outcome
from scheduler.store.sessions.connections import Connection
from tests.integration.store.conftest import Open
from tests.ledger import HOUR, NOON, TASK, add_job, add_node, add_run
from tests.waiting import is_a_lock_awaited, keep_to_one, wait_until

MINUTES = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def one_hour() -> None:
    """Fire times are counted up to now: the next one is not to come meanwhile."""
    keep_to_one(HOUR)


def hours_ago(count: float) -> datetime:
    return timezone.now().replace(minute=0, second=0, microsecond=0) - count * HOUR


def overdue(id: str = "job", *, hours: int = 5, **changes: object) -> Job:
    """Write an hourly job that nobody has planned for some hours."""
    return add_job(id, due_at=hours_ago(hours), task="sample.nothing", **changes)


def sql(statement: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def settle(session: Connection) -> None:
    """Let a node do what it does about fire times that are owed, and look at jobs that need it."""
    node = add_node(beat_at=timezone.now())
    for _ in range(3):
        owed.account(session, windows=owed.find(session), node=node)
        inspect_jobs(session, settings=conf.get(), broken=False)
        claims.claim_due(
            session, node=node, tasks={"sample.nothing"}, limit=10, room={"default": 10}, catch_up_limit=100
        )
    assert not OwedWindow.objects.exists()


def coverage(job: str, since: datetime, until: datetime) -> Counter[datetime]:
    """Count how many rows cover each hour of a window."""
    found: Counter[datetime] = Counter()
    moment = since
    rows = list(Run.objects.filter(job_key=job, attempt=1))
    while moment <= until:
        found[moment] = sum((row.covers_from or row.scheduled_at) <= moment <= row.scheduled_at for row in rows)
        moment += HOUR
    return found


def fail(session: Connection, job: Job) -> None:
    node = add_node()
    run = add_run(job, scheduled_at=hours_ago(9), node=node, state=RunState.RUNNING)
    outcome = Outcome(run_id=run.pk, state=RunState.FAILED, started=0, finished=1, error="x")
    finishing.finish(session, outcomes=[outcome], node=node, clock=1)


WAYS: dict[str, Callable[[Connection, Job], object]] = {
    "too many failures": fail,
    "a pause": lambda _, job: jobs.pause(job=job),
    "a pause with SQL": lambda *_: sql("UPDATE scheduler_job SET state = 'paused'"),
    "a finish": lambda _, job: PostgresJobStore().finish_job(job.pk),
    "a deletion": lambda _, job: jobs.remove(job=job),
    "a deletion with SQL": lambda *_: sql("DELETE FROM scheduler_job; DELETE FROM django_apscheduler_djangojob"),
    "a deletion of both with SQL at once": lambda *_: sql(
        "WITH gone AS (DELETE FROM scheduler_job RETURNING djangojob_ptr_id)"
        " DELETE FROM django_apscheduler_djangojob WHERE id IN (SELECT djangojob_ptr_id FROM gone)"
    ),
    "a deletion that begins with the other table": lambda *_: sql(
        "BEGIN; SET CONSTRAINTS ALL DEFERRED; DELETE FROM django_apscheduler_djangojob;"
        " DELETE FROM scheduler_job; COMMIT"
    ),
    "a next_run_time without SQL's word": lambda *_: sql(
        "UPDATE django_apscheduler_djangojob SET next_run_time = NULL"
    ),
    "a next_run_time in the future": lambda *_: sql(
        "UPDATE django_apscheduler_djangojob SET next_run_time = %s", hours_ago(-3)
    ),
    "a next_run_time in the past": lambda *_: sql(
        "UPDATE django_apscheduler_djangojob SET next_run_time = %s", hours_ago(2)
    ),
    "another trigger": lambda _, job: jobs.update(job=job, trigger={"type": "interval", "hours": 2}),
    "another trigger with SQL": lambda *_: sql(
        """UPDATE scheduler_job SET trigger = '{"type": "interval", "hours": 2}'"""
    ),
    "other zones": lambda *_: sql("UPDATE scheduler_job SET needs_inspection = true, needs_rescheduling = true"),
    "a broken definition": lambda session, job: definitions.break_jobs(session, problems=[(job.pk, "broken")]),
    "a broken one that is deleted": lambda session, job: (
        definitions.break_jobs(session, problems=[(job.pk, "broken")]),
        jobs.remove(job=Job.objects.get(pk=job.pk)),
    ),
    "nothing": lambda *_: None,
}

BOTH = (
    "a pause",
    "a pause with SQL",
    "a finish",
    "a deletion",
    "a deletion with SQL",
    "a next_run_time without SQL's word",
    "a next_run_time in the past",
    "a next_run_time in the future",
    "a broken definition",
    "a backfill",
    "a resumption",
    "a finish with SQL",
    "an interrupted_at that is taken away",
)
WAYS_AFTER = {
    **WAYS,
    "a backfill": lambda _, job: run_services.backfill(job=job, since=hours_ago(3), until=hours_ago(1)),
    "a resumption": lambda _, job: jobs.resume(job=job),
    "a finish with SQL": lambda *_: sql("UPDATE scheduler_job SET state = 'finished'"),
    "an interrupted_at that is taken away": lambda *_: sql("UPDATE scheduler_job SET interrupted_at = NULL"),
}


@pytest.mark.django_db(transaction=True)
class TestFireTimesThatHaveCome:
    @pytest.mark.parametrize("way", WAYS)
    def test_each_have_one_row(self, way: str, session: Connection) -> None:
        job = overdue(pause_after_failures=1, misfire_grace_time=None)
        if way == "too many failures":
            job.max_instances = 5
            job.save()

        WAYS[way](session, job)
        settle(session)
        if way.startswith("a broken definition"):  # it goes on from where it broke
            inspect_jobs(session, settings=conf.get(), broken=True)
            settle(session)

        found = coverage("job", hours_ago(5), hours_ago(0))
        assert set(found.values()) == {1}, found

    @pytest.mark.parametrize(("first", "then"), list(itertools.product(BOTH, BOTH)))
    def test_each_have_one_row_though_two_things_happen(self, first: str, then: str, session: Connection) -> None:
        job = overdue(misfire_grace_time=None)

        for way in (first, then):
            with suppress(SchedulerError, JobLookupError):
                WAYS_AFTER[way](session, job)
        settle(session)
        inspect_jobs(session, settings=conf.get(), broken=True)
        settle(session)

        found = coverage("job", hours_ago(5), hours_ago(0))
        assert set(found.values()) == {1}, found

    def test_of_a_job_that_is_active_are_planned_though_its_time_was_cleared(self, session: Connection) -> None:
        overdue(misfire_grace_time=None)
        sql("UPDATE django_apscheduler_djangojob SET next_run_time = NULL")

        settle(session)

        assert Run.objects.filter(state=RunState.QUEUED).exists()
        assert Job.objects.get().next_run_time > timezone.now()

    def test_of_a_job_that_is_not_due_are_left_alone(self, session: Connection) -> None:
        add_job(due_at=hours_ago(-2), task="sample.nothing")
        sql("UPDATE django_apscheduler_djangojob SET next_run_time = NULL")

        settle(session)

        assert not Run.objects.exists()
        assert Job.objects.get().next_run_time == hours_ago(-2)

    def test_are_not_entered_by_a_claim_of_the_release_before(self, session: Connection) -> None:
        """It writes the rows and moves the job without saying that it claims."""
        job = overdue()
        with transaction.atomic():
            add_run(job, scheduled_at=hours_ago(0), covers_from=hours_ago(5), coalesced=5)
            sql("UPDATE django_apscheduler_djangojob SET next_run_time = %s", hours_ago(-1))

        assert not OwedWindow.objects.exists()

    def test_are_accounted_for_though_the_newest_were_backfilled(self, session: Connection) -> None:
        job = overdue(misfire_grace_time=None)
        for hours in (0, 1, 3):
            add_run(job, scheduled_at=hours_ago(hours), kind=RunKind.MANUAL, held=True)

        settle(session)

        found = coverage("job", hours_ago(5), hours_ago(0))
        assert set(found.values()) == {1}, found

    def test_are_folded_into_no_fire_time_that_was_backfilled(self, session: Connection) -> None:
        job = overdue(overlap="queue", misfire_grace_time=None, hours=2)
        add_run(job, scheduled_at=hours_ago(4), state=RunState.RUNNING, node=uuid4())
        add_run(job, scheduled_at=hours_ago(3), held=True)
        add_run(job, scheduled_at=hours_ago(0), held=True, kind=RunKind.MANUAL)

        settle(session)

        found = coverage("job", hours_ago(4), hours_ago(0))
        assert set(found.values()) == {1}, found
        assert Job.objects.get().state == JobState.ACTIVE

    def test_are_not_taken_for_runs_that_people_asked_for(self, session: Connection) -> None:
        job = overdue(misfire_grace_time=None)
        jobs.run_now(job=job, now=hours_ago(2.5))

        settle(session)

        run = Run.objects.get(kind=RunKind.SCHEDULED)
        assert (run.covers_from, run.scheduled_at, run.coalesced) == (hours_ago(5), hours_ago(0), 5)

    def test_are_run_once_more_by_a_backfill_of_a_range(self, session: Connection) -> None:
        job = overdue(misfire_grace_time=None)
        settle(session)

        run_services.backfill(job=job, since=hours_ago(3), until=hours_ago(1))

        backfilled = Run.objects.filter(kind=RunKind.MANUAL).order_by("scheduled_at")
        assert [(run.scheduled_at, run.attempt) for run in backfilled] == [(hours_ago(n), 2) for n in (3, 2, 1)]
        assert set(coverage("job", hours_ago(5), hours_ago(0)).values()) == {1}

    @pytest.mark.parametrize("coalesce", [True, False])
    def test_are_not_planned_again_when_the_time_is_moved_backward(self, coalesce: bool, session: Connection) -> None:
        job = overdue(misfire_grace_time=None, coalesce=coalesce)
        settle(session)
        before = Run.objects.count()

        sql("UPDATE django_apscheduler_djangojob SET next_run_time = %s", hours_ago(3))
        settle(session)

        assert Run.objects.count() == before
        assert set(coverage("job", hours_ago(5), hours_ago(0)).values()) == {1}
        job.refresh_from_db()
        assert job.next_run_time > timezone.now()

    @pytest.mark.parametrize("way", ["a next_run_time without SQL's word", "a pause", "a pause with SQL", "a deletion"])
    def test_each_have_one_row_when_the_time_was_moved_back_over_some_of_them(
        self, way: str, session: Connection
    ) -> None:
        """The first fire time of the window has a row already, and those after it have none."""
        job = overdue(hours=3, misfire_grace_time=None)
        for hours in (5, 4):
            add_run(job, scheduled_at=hours_ago(hours), state=RunState.SUCCEEDED)
        sql("UPDATE django_apscheduler_djangojob SET next_run_time = %s", hours_ago(5))
        job.refresh_from_db()

        WAYS[way](session, job)
        if way == "a pause with SQL":
            sql("UPDATE django_apscheduler_djangojob SET next_run_time = NULL")
        settle(session)

        found = coverage("job", hours_ago(5), hours_ago(0))
        assert set(found.values()) == {1}, found

    def test_are_forgotten_if_nobody_can_say_when_they_were(self, session: Connection) -> None:
        overdue(trigger={"type": "moon"})
        sql("UPDATE django_apscheduler_djangojob SET next_run_time = %s", hours_ago(-3))

        settle(session)

        assert not Run.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestADeletionBesideAClaim:
    """The claim has planned the fire time, and has not committed."""

    @pytest.mark.parametrize("way", ["a deletion", "a deletion of both with SQL at once", "a deletion with SQL"])
    def test_leaves_each_fire_time_one_row(
        self, way: str, session: Connection, open_session: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = overdue(misfire_grace_time=None)
        raised: list[BaseException] = []

        def delete() -> None:
            try:
                WAYS[way](session, job)
            except BaseException as error:  # noqa: BLE001 - the test shows it
                raised.append(error)
            finally:
                connection.close()

        thread = threading.Thread(target=delete)

        def hit(name: str) -> None:
            if name == "claim.before_commit":
                thread.start()
                wait_until(is_a_lock_awaited)

        monkeypatch.setattr(failpoints, "hit", hit)
        claims.claim_due(
            open_session(),
            node=add_node(),
            tasks={"sample.nothing"},
            limit=10,
            room={"default": 10},
            catch_up_limit=100,
        )
        thread.join(120)
        settle(session)

        assert raised == []
        assert not Job.objects.exists()
        assert set(coverage("job", hours_ago(5), hours_ago(0)).values()) == {1}


@pytest.mark.django_db(transaction=True)
class TestAWindowOfADeletedJob:
    def test_leaves_out_what_its_former_runs_cover(self, session: Connection) -> None:
        job = overdue(misfire_grace_time=None)
        sql("UPDATE scheduler_job SET state = 'paused', needs_inspection = false")
        sql("UPDATE django_apscheduler_djangojob SET next_run_time = NULL")
        run_services.backfill(job=job, since=hours_ago(3), until=hours_ago(2))
        assert OwedWindow.objects.exists()

        jobs.remove(job=job)
        settle(session)

        assert set(coverage("job", hours_ago(5), hours_ago(0)).values()) == {1}


@pytest.mark.django_db(transaction=True)
class TestTheClockOfAService:
    @pytest.mark.parametrize("act", [jobs.pause, jobs.resume, jobs.update, jobs.run_now])
    def test_is_read_when_the_job_is_locked(self, act: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
        """Until then a node may account for fire times up to its own now."""
        state = JobState.PAUSED if act is jobs.resume else JobState.ACTIVE
        job = add_job(due_at=hours_ago(-1), task="sample.nothing", state=state)
        order: list[str] = []
        lock, now = job_rows.lock, jobs.database_now
        monkeypatch.setattr(job_rows, "lock", lambda **given: (order.append("lock"), lock(**given))[1])
        monkeypatch.setattr(jobs, "database_now", lambda: (order.append("clock"), now())[1])

        act(job=job)

        assert order[:2] == ["lock", "clock"]


class TestGaps:
    TRIGGER = triggers.parse({"type": "interval", "hours": 1, "timezone": "UTC", "start_at": NOON.isoformat()})

    def at(self, hours: int) -> datetime:
        return NOON.astimezone(UTC) + hours * HOUR

    def gaps(self, *covered: tuple[int, int], until: int = 5) -> list[tuple[int, int, int]]:
        found: list[Gap] = owed.gaps(
            trigger=self.TRIGGER,
            first=self.at(0),
            until=self.at(until) + MINUTES,
            covered=[(self.at(begin), self.at(end)) for begin, end in covered],
        )
        return [((gap.first - NOON) // HOUR, (gap.last - NOON) // HOUR, gap.fire_times) for gap in found]

    def test_are_all_that_no_range_covers(self) -> None:
        assert self.gaps() == [(0, 5, 6)]
        assert self.gaps((0, 5)) == []
        assert self.gaps((2, 3)) == [(0, 1, 2), (4, 5, 2)]
        assert self.gaps((0, 0), (2, 2), (4, 4)) == [(1, 1, 1), (3, 3, 1), (5, 5, 1)]
        assert self.gaps((-3, 1), (1, 4)) == [(5, 5, 1)]
        assert self.gaps((5, 9)) == [(0, 4, 5)]


@pytest.mark.django_db(transaction=True)
class TestAnOddWindow:
    def test_stops_no_other(self, session: Connection) -> None:
        for name in ("odd", "sound"):
            OwedWindow.objects.create(
                job_key=name,
                job_name=name,
                task=TASK,
                executor="default",
                trigger={"type": "interval", "hours": 1, "timezone": "UTC", "start_at": hours_ago(9).isoformat()},
                first=hours_ago(3),
                until=hours_ago(1),
            )
        sql("UPDATE scheduler_owed SET first = '-infinity' WHERE job_key = 'odd'")

        owed.account(session, windows=owed.find(session), node=add_node())

        assert Run.objects.filter(job_key="sound", state=RunState.SKIPPED, coalesced=2).count() == 1
        assert not OwedWindow.objects.exists()
