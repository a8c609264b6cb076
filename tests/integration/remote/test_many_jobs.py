"""What a node reads at once: a bounded number of rows, however many jobs are due, wait, or are late."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from scheduler.core.alerts import RuleKind
from scheduler.models import Incident, Job, Run
from scheduler.services.alerts.sender import Sender
from scheduler.services.queries import health
from scheduler.store import alerts, outbox
from scheduler.store.clock import database_now
from scheduler.store.measuring import measures
from scheduler.store.sessions.connections import Connection
from scheduler.telemetry import metrics
from tests import fetching
from tests.bells import Broker
from tests.integration.alerts.happenings import channel, rule
from tests.ledger import HOUR, MINUTE, add_job, add_run, multiply
from tests.nodes import make_node, work

pytestmark = pytest.mark.django_db(transaction=True)

JOBS = 2500
MOST = outbox.CHUNK
"""No statement returns more rows than the largest of the fixed limits, which is less than there are jobs."""

PATIENCE = 300.0


def add_jobs(*, minutes_late: float) -> Job:
    """Write the jobs of a queue of Celery, all due since then, and return the first."""
    now = database_now()
    job = add_job(
        due_at=now - minutes_late * MINUTE,
        created_at=now - 24 * 30 * HOUR,
        task="sample.nothing",
        executor="celery:scrape",
    )
    multiply("django_apscheduler_djangojob", "id", count=JOBS - 1, changes="jsonb_build_object('id', 'job-' || n)")
    multiply(
        "scheduler_job",
        "djangojob_ptr_id",
        count=JOBS - 1,
        changes="jsonb_build_object('djangojob_ptr_id', 'job-' || n)",
    )
    return job


def add_runs(job: Job, *, hours_ago: float, state: str) -> None:
    """Write a run of each job."""
    first = add_run(job, scheduled_at=database_now() - hours_ago * HOUR, state=state)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO scheduler_run SELECT copy.*"
            "  FROM scheduler_run AS original, generate_series(1, %s) AS n,"
            "       jsonb_populate_record(NULL::scheduler_run, to_jsonb(original) || jsonb_build_object("
            "           'id', nextval(pg_get_serial_sequence('scheduler_run', 'id')), 'job_id', 'job-' || n,"
            "           'job_key', 'job-' || n)) AS copy"
            " WHERE original.id = %s",
            [JOBS - 1, first.pk],
        )


@pytest.fixture
def after_an_outage() -> Iterator[None]:
    """Each job is late, has a run that waits, and three fire times that passed without a run."""
    job = add_jobs(minutes_late=10)
    add_runs(job, hours_ago=5, state="queued")
    for hours_ago in (4, 3, 2):
        add_runs(job, hours_ago=hours_ago, state="skipped")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE scheduler_run, scheduler_job, django_apscheduler_djangojob")
    yield
    with connection.cursor() as cursor:  # the statistics of this test would mislead whoever comes next
        cursor.execute(
            "TRUNCATE scheduler_run, scheduler_job, scheduler_incident, django_apscheduler_djangojob CASCADE"
        )
        cursor.execute("ANALYZE")


class TestANode:
    def test_plans_and_rings_jobs_some_at_a_time(self, broker: Broker) -> None:
        add_jobs(minutes_late=1)
        with fetching.counted() as fetched:
            node = make_node(max_inflight=10 * JOBS)
            try:
                work(node, until=lambda: len(broker.messages) >= JOBS, timeout=PATIENCE)
            finally:
                node.stop(grace_seconds=0.1)

        assert fetched.most["claim_due_jobs"] > 0
        assert fetched.most["stamp_runs_to_ring"] > 0
        assert fetched.above(MOST) == {}

    def test_rings_runs_again_some_at_a_time(self, after_an_outage: None, broker: Broker) -> None:
        Run.objects.filter(state="queued").update(rings=1, rung_at=database_now() - HOUR)
        with fetching.counted() as fetched:
            node = make_node(max_inflight=10 * JOBS)
            try:
                work(node, until=lambda: Run.objects.filter(rings__gte=2).count() >= JOBS, timeout=PATIENCE)
            finally:
                node.stop(grace_seconds=0.1)

        assert fetched.above(MOST) == {}


class TestAlerts:
    @pytest.mark.parametrize("kind", sorted(alerts._STATEMENTS))
    def test_leave_in_the_database_what_a_rule_finds(
        self, after_an_outage: None, session: Connection, kind: RuleKind
    ) -> None:
        made = rule(kind, **_RULES.get(kind, {}))

        with fetching.counted() as fetched:
            settled = alerts.judge(session, kind=kind, rule=made.pk)

        assert settled is not None
        assert settled.opened == Incident.objects.count() == (JOBS if kind in _HOLDING else 0)
        assert fetched.most[alerts._STATEMENTS[kind]] == 1

    def test_close_what_is_over_in_the_database(self, after_an_outage: None, session: Connection) -> None:
        rule("silent", seconds=3600.0)
        alerts.judge(session, kind=RuleKind.SILENT)
        Job.objects.exclude(pk="job").update(created_at=database_now())

        assert alerts.judge(session, kind=RuleKind.SILENT) == alerts.Settled(opened=0, closed=JOBS - 1)
        assert list(Incident.objects.open().values_list("job_key", flat=True)) == ["job"]

    def test_close_incidents_of_a_rule_that_is_gone_in_the_database(
        self, after_an_outage: None, session: Connection
    ) -> None:
        made = rule("silent", seconds=3600.0)
        alerts.judge(session, kind=RuleKind.SILENT)
        made.delete()

        with fetching.counted() as fetched:
            assert alerts.close_orphans(session) == JOBS
        assert fetched.above(1) == {}

    def test_are_announced_some_at_a_time(self, after_an_outage: None) -> None:
        rule("silent", seconds=3600.0, channels=(channel(),))
        rule("system")
        sender = Sender()
        try:
            with fetching.counted() as fetched:
                for _ in range(3):
                    sender.pass_once(gather=False)
        finally:
            sender.close()

        assert not Incident.objects.open().filter(opened_in=None).exists()
        assert fetched.above(MOST) == {}


class TestMeasuring:
    def test_reads_no_row_for_each_job_or_run(self, after_an_outage: None, session: Connection) -> None:
        with fetching.counted() as fetched:
            found = metrics.read(execute=session.execute)
            health.judged()

        assert fetched.most["count_stalled_jobs"] == fetched.most["measure_scheduling"] == 1
        assert found.standing.stalled == JOBS
        assert found.standing.scheduling.overdue == JOBS
        assert fetched.above(20) == {}

    def test_lists_no_more_jobs_that_do_not_start_than_a_page_can_hold(
        self, after_an_outage: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(measures, "_MOST_COUNTED", 100)
        Job.objects.exclude(pk="job").update(state="paused")

        found = measures.not_started()

        assert len(found) == 100
        assert found[0].job == "job", "Jobs whose fire times pass come before those that only wait."


_RULES: dict[RuleKind, dict[str, object]] = {
    RuleKind.LATE: {"seconds": 120.0},
    RuleKind.DEADLINE: {"seconds": 120.0},
    RuleKind.SILENT: {"seconds": 3600.0},
    RuleKind.SLOW: {"seconds": 60.0},
    RuleKind.DROPPED: {"threshold": 5, "seconds": 7200.0},
    RuleKind.RESULT: {"path": "new", "operator": "=", "value": 0, "threshold": 1},
    RuleKind.FAILING: {"threshold": 3},
}
_HOLDING = {RuleKind.LATE, RuleKind.DEADLINE, RuleKind.SILENT}
