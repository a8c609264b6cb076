from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, connections
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from scheduler.core.states import JobState, NodeState, RunKind, RunState
from scheduler.errors import InvalidRetention
from scheduler.models import Counter, Job, Node, QueueCounter, Rollup, Run
from scheduler.services import retention
from scheduler.store import statements
from scheduler.store.clock import database_now
from tests.integration.services.ledger import job, node, run

pytestmark = pytest.mark.django_db


def clean(**arguments: Any) -> retention.CleanUp:
    return retention.clean_up(**{"older_than_days": 30, "keep_per_job": 0, **arguments})


def left() -> set[int]:
    return set(Run.objects.values_list("pk", flat=True))


class TestCleanUpOfRuns:
    def test_deletes_what_finished_before_the_cutoff(self) -> None:
        daily = job()
        for state in (RunState.SUCCEEDED, RunState.FAILED, RunState.MISSED, RunState.SKIPPED, RunState.INTERRUPTED):
            run(daily, days_ago=31, state=state)
        young = run(daily, days_ago=29)

        done = clean()

        assert (done.runs, left()) == (5, {young.pk})

    def test_never_deletes_an_active_run(self) -> None:
        daily = job()
        active = {run(daily, days_ago=300, state=state).pk for state in (RunState.QUEUED, RunState.RUNNING)}
        run(daily, days_ago=299)

        assert clean().runs == 1
        assert left() == active

    def test_judges_by_when_a_run_finished_not_by_when_it_began(self) -> None:
        slow = run(job(), days_ago=40, finished_at=database_now() - timedelta(days=1))

        assert clean().runs == 0
        assert left() == {slow.pk}

    def test_keeps_the_newest_finished_runs_of_each_job(self) -> None:
        monthly, minutely = job("monthly"), job("minutely")
        kept = {run(monthly, days_ago=days).pk for days in (100, 70, 40)}
        run(monthly, days_ago=130)
        for days in (90, 80, 60, 50):
            run(minutely, days_ago=days)
        run(minutely, days_ago=0, state=RunState.RUNNING)
        kept |= set(Run.objects.filter(job=minutely).order_by("-scheduled_at").values_list("pk", flat=True)[:4])

        done = clean(keep_per_job=3)

        assert (done.runs, left()) == (2, kept)

    def test_counts_newer_runs_among_those_that_are_kept(self) -> None:
        daily = job()
        run(daily, days_ago=31)
        young = {run(daily, days_ago=days).pk for days in (3, 2, 1)}

        assert clean(keep_per_job=3).runs == 1
        assert left() == young

    def test_keeps_nothing_old_of_a_job_that_was_deleted(self) -> None:
        run(None, days_ago=31)
        young = run(None, days_ago=29)

        assert clean(keep_per_job=10).runs == 1
        assert left() == {young.pk}

    def test_keeps_nothing_old_of_a_job_whose_row_vanished_without_a_trace(self) -> None:
        orphan = run(job(), days_ago=31)
        Run.objects.filter(pk=orphan.pk).update(job="never-existed")

        assert clean(keep_per_job=10).runs == 1

    def test_keeps_all_attempts_of_a_fire_time_while_one_stays(self) -> None:
        daily = job()
        first = run(daily, days_ago=31, state=RunState.INTERRUPTED)
        second = run(
            daily,
            days_ago=31,
            scheduled_at=first.scheduled_at,
            attempt=2,
            kind=RunKind.RECOVERY,
            previous=first,
            finished_at=database_now(),
        )
        run(daily, days_ago=32)

        assert clean().runs == 1
        assert left() == {first.pk, second.pk}

    def test_deletes_all_attempts_of_a_fire_time_together(self) -> None:
        daily = job()
        first = run(daily, days_ago=31, state=RunState.INTERRUPTED)
        run(daily, days_ago=31, scheduled_at=first.scheduled_at, attempt=2, kind=RunKind.RECOVERY, previous=first)

        assert clean().runs == 2

    def test_goes_on_past_pages_of_kept_runs_and_ends_before_the_new_ones(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retention, "_PAGE_ROWS", 5)
        kept, other = job("kept"), job("other")
        for days in range(70, 50, -1):
            run(kept, days_ago=days)
        for days in range(50, 40, -1):
            run(other, days_ago=days)
        for days in range(20, 0, -1):
            run(other, days_ago=days)

        done = clean(keep_per_job=20)

        assert (done.runs, Run.objects.filter(job=kept).count(), Run.objects.filter(job=other).count()) == (10, 20, 20)
        assert done.runs_seen == 35

    def test_deletes_no_more_than_the_batch_size_in_one_statement(self) -> None:
        daily = job()
        for days in range(50, 40, -1):
            run(daily, days_ago=days)
        seen: list[int] = []

        clean(batch_size=3, progress=lambda done: seen.append(done.runs))

        assert [after - before for before, after in itertools.pairwise(seen)] == [3, 3, 3, 1]

    def test_changes_nothing_in_a_dry_run_and_counts_the_same(self) -> None:
        daily = job("one-shot", state=JobState.FINISHED, ended_days_ago=40)
        run(daily, days_ago=40)
        run(job("daily"), days_ago=40)
        node(NodeState.LOST, days_ago=40)

        would = clean(dry_run=True)
        before = (Run.objects.count(), Job.objects.count(), Node.objects.count())
        did = clean()

        assert before == (2, 2, 1)
        assert (would.runs, would.jobs, would.nodes) == (did.runs, did.jobs, did.nodes) == (2, 1, 1)

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ({"older_than_days": 0}, "days is “0”. It must be a whole number from 1 to 36,500."),
            ({"older_than_days": -3}, "days is “-3”. It must be a whole number from 1 to 36,500."),
            ({"older_than_days": True}, "days is “True”. It must be a whole number from 1 to 36,500."),
            ({"keep_per_job": -1}, "keep is “-1”. It must be a whole number from 0 to 100,000."),
            ({"batch_size": 0}, "batch_size is “0”. It must be a whole number from 1 to 10,000."),
        ],
    )
    def test_refuses_numbers_out_of_range_and_deletes_nothing(self, arguments: dict[str, Any], sentence: str) -> None:
        run(job(), days_ago=400)

        with pytest.raises(InvalidRetention, match="It must be a whole number") as refusal:
            clean(**arguments)

        assert str(refusal.value) == sentence
        assert len(left()) == 1


@pytest.mark.django_db(transaction=True)
class TestCleanUpBesideOthers:
    def test_leaves_a_locked_run_for_the_next_time_without_waiting(self) -> None:
        daily = job()
        locked, free = run(daily, days_ago=40), run(daily, days_ago=41)
        ready, release = threading.Event(), threading.Event()

        def hold() -> None:
            with connection.cursor() as cursor:
                cursor.execute("BEGIN; SELECT 1 FROM scheduler_run WHERE id = %s FOR UPDATE", [locked.pk])
                ready.set()
                release.wait(120)
                cursor.execute("COMMIT")
            connections.close_all()

        holder = threading.Thread(target=hold)
        holder.start()
        assert ready.wait(120)
        try:
            first = clean()
        finally:
            release.set()
            holder.join()

        assert first.runs == 1
        assert not Run.objects.filter(pk=free.pk).exists()
        assert clean().runs == 1

    def test_leaves_an_ended_job_that_is_being_edited(self) -> None:
        job("one-shot", state=JobState.FINISHED, ended_days_ago=40)
        ready, release = threading.Event(), threading.Event()

        def hold() -> None:
            with connection.cursor() as cursor:
                cursor.execute("BEGIN; SELECT 1 FROM django_apscheduler_djangojob WHERE id = 'one-shot' FOR UPDATE")
                ready.set()
                release.wait(120)
                cursor.execute("COMMIT")
            connections.close_all()

        holder = threading.Thread(target=hold)
        holder.start()
        assert ready.wait(120)
        try:
            first = clean()
        finally:
            release.set()
            holder.join()

        assert first.jobs == 0
        assert clean().jobs == 1


class TestCleanUpOfJobs:
    def test_deletes_jobs_that_ended_long_ago_with_their_old_runs(self) -> None:
        once = job("one-shot", state=JobState.FINISHED, ended_days_ago=31)
        run(once, days_ago=31)

        done = clean(keep_per_job=10)

        assert (done.jobs, done.runs) == (1, 1)
        assert not DjangoJob.objects.exists()

    def test_keeps_newer_runs_of_a_deleted_job_as_history(self) -> None:
        once = job("one-shot", state=JobState.FINISHED, ended_days_ago=31)
        young = run(once, days_ago=2, kind=RunKind.MANUAL)

        assert clean().jobs == 1

        young.refresh_from_db()
        assert (young.job_id, young.job_key) == (None, "one-shot")

    def test_keeps_a_job_that_ended_lately_or_has_not_ended(self) -> None:
        for state in (JobState.ACTIVE, JobState.PAUSED, JobState.BROKEN):
            job(state, state=state, ended_days_ago=100)
        lately = job("lately", state=JobState.FINISHED, ended_days_ago=29)
        run(lately, days_ago=200)

        done = clean(keep_per_job=1)

        assert (done.jobs, done.runs, Job.objects.count()) == (0, 0, 4)

    def test_keeps_an_ended_job_with_an_active_run_and_its_newest_runs(self) -> None:
        once = job("one-shot", state=JobState.FINISHED, ended_days_ago=100)
        run(once, days_ago=100)
        run(once, days_ago=90, state=RunState.QUEUED)

        done = clean(keep_per_job=1)

        assert (done.jobs, done.runs) == (0, 0)

    def test_deletes_stock_history_too(self) -> None:
        stock = DjangoJob.objects.create(id="stock", job_state=b"")
        for days in (31, 29):
            DjangoJobExecution.objects.create(
                job=stock, status="Executed", run_time=timezone.now() - timedelta(days=days)
            )

        assert clean().stock_history == 1
        assert DjangoJobExecution.objects.count() == 1
        assert DjangoJob.objects.filter(pk="stock").exists()


class TestCleanUpOfNodes:
    def test_deletes_nodes_that_are_gone_for_long(self) -> None:
        node(NodeState.STOPPED, days_ago=31)
        node(NodeState.LOST, days_ago=31)
        stays = {
            node(NodeState.STOPPED, days_ago=29).pk,
            node(NodeState.RUNNING, days_ago=300).pk,
            node(NodeState.STOPPING, days_ago=300).pk,
        }

        assert clean(batch_size=1).nodes == 2
        assert set(Node.objects.values_list("pk", flat=True)) == stays

    def test_keeps_a_node_that_still_owns_a_run(self) -> None:
        lost = node(NodeState.LOST, days_ago=31)
        run(job(), days_ago=31, state=RunState.RUNNING, node=lost.pk)
        run(job("other"), days_ago=31, state=RunState.RUNNING, node=uuid4())

        assert clean().nodes == 0


def fill(*, runs: int, jobs: int) -> None:
    """A ledger of ``runs`` rows over 100 days, spread over ``jobs`` jobs."""
    owners = [job(f"job-{number}") for number in range(jobs)]
    beginning = database_now() - timedelta(days=100)
    Run.objects.bulk_create(
        Run(
            job=owners[number % jobs],
            job_key=owners[number % jobs].pk,
            job_name="job",
            task="a.task",
            scheduled_at=at,
            due_at=at,
            created_at=at,
            finished_at=at,
            state=RunState.SUCCEEDED,
            executor="default",
        )
        for number, at in ((number, beginning + timedelta(days=100) * number / runs) for number in range(runs))
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE scheduler_run; ANALYZE scheduler_job")


def scans(plan: dict[str, Any]) -> set[tuple[str, str]]:
    """Every (way, table) in which a plan reads."""
    found = {(plan["Node Type"], plan["Relation Name"])} if "Relation Name" in plan else set()
    return found.union(*(scans(below) for below in plan.get("Plans", ())))


class TestQueryPlans:
    @pytest.mark.parametrize(
        ("statement", "parameters"),
        [
            ("find_old_runs", {"after": 100, "limit": 500, "keep": 10}),
            ("delete_runs", {"runs": "{" + ",".join(str(number) for number in range(1, 500)) + "}"}),
        ],
    )
    def test_read_the_ledger_by_index_only(self, statement: str, parameters: dict[str, Any]) -> None:
        fill(runs=8000, jobs=20)

        with connection.cursor() as cursor:
            cutoff = datetime.now(tz=UTC) - timedelta(days=30)
            cursor.execute(f"EXPLAIN (FORMAT json) {statements.load(statement)}", {"cutoff": cutoff, **parameters})
            (plan,) = cursor.fetchone()[0]

        read = scans(plan["Plan"])
        assert any(table == "scheduler_run" for _, table in read)
        assert not [way for way, table in read if table == "scheduler_run" and way == "Seq Scan"]

    def test_deletes_thousands_of_runs_and_keeps_ten_of_each_job(self) -> None:
        fill(runs=8000, jobs=20)

        done = clean(keep_per_job=10)

        assert Run.objects.count() == Run.objects.filter(finished_at__gte=done.cutoff).count() == 8000 - done.runs
        assert 5500 < done.runs < 5700


class TestMeasures:
    def test_old_roll_ups_go_and_counters_of_forgotten_nodes_are_kept_together(self) -> None:
        now = datetime(2027, 3, 1, tzinfo=UTC)
        for days in (1, 399, 401):
            Rollup.objects.create(job_key="job", hour=now - timedelta(days=days), last_finished_at=now)
        for forgotten in (uuid4(), uuid4()):
            Counter.objects.create(
                node=forgotten,
                task="task",
                state="succeeded",
                runs=3,
                run_seconds=1.5,
                run_buckets=[1, 2],
                lag_seconds=0.5,
                lag_buckets=[3, 0],
            )

        done = retention.clean_up(older_than_days=30, now=now)
        again = retention.clean_up(older_than_days=30, now=now)

        assert (done.rollups, again.rollups) == (1, 0)
        assert Rollup.objects.count() == 2
        total = Counter.objects.get()
        assert total.node == UUID(int=0)
        assert (total.runs, total.run_seconds, total.lag_seconds) == (6, 3.0, 1.0)
        assert (total.run_buckets, total.lag_buckets) == ([2, 4], [6, 0])

    def test_what_was_counted_hours_ago_is_kept_in_one_row_for_each_queue(self) -> None:
        now = datetime(2027, 3, 1, tzinfo=UTC)
        for hours, queue in ((9, "mail"), (3, "mail"), (3, "bulk"), (1, "mail")):
            since = now - timedelta(hours=hours)
            QueueCounter.objects.create(node=uuid4(), queue=queue, since=since, runs=hours)

        for _ in range(2):
            retention.clean_up(older_than_days=30, now=now)

            kept = QueueCounter.objects.order_by("queue", "since").values_list("queue", "since", "runs")
            assert list(kept) == [
                ("bulk", datetime(1970, 1, 1, tzinfo=UTC), 3),
                ("mail", datetime(1970, 1, 1, tzinfo=UTC), 12),
                ("mail", now - timedelta(hours=1), 1),
            ]


class TestScheduleCleanUp:
    def test_makes_the_nightly_job_once(self) -> None:
        assert retention.schedule_clean_up() is True
        assert retention.schedule_clean_up() is False

        job = Job.objects.get(pk=retention.CLEAN_UP_JOB)
        assert job.trigger["expression"] == "0 3 * * *"
