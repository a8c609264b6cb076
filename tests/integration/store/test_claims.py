from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from scheduler.core import planning
from scheduler.core.states import JobState, RunKind, RunState
from scheduler.models import Job, Run
from scheduler.store.claiming import claims, positions
from scheduler.store.claiming.claimed import NOTHING, Claim
from scheduler.store.claiming.positions import Positions
from scheduler.store.sessions.connections import Connection, texts
from tests.integration.store.conftest import Open
from tests.ledger import ANY_JOB, HOUR, MINUTE, NOON, SECOND, TASK, add_job, add_run, rows

pytestmark = pytest.mark.django_db(transaction=True)


def claim(session: Connection, **changes: Any) -> Claim:
    values: dict[str, Any] = {
        "node": str(uuid4()),
        "tasks": {TASK},
        "limit": 100,
        "room": {"default": 100},
        "catch_up_limit": 100,
        "now": NOON,
    }
    return claims.claim_due(session, **{**values, **changes})


class TestClaimDue:
    def test_writes_a_run_of_this_node_and_moves_the_job(self, session: Connection, node: str) -> None:
        job = add_job(args=[1], kwargs={"text": 'quoted " and \\ and {,}'}, name="Näme", priority=3)

        found = claim(session, node=node)

        (owned,) = found.owned
        run = Run.objects.get()
        assert (found.jobs, found.waiting, found.born_finished, found.broken) == (1, 0, (), ())
        assert (owned.id, owned.job_id, owned.job_name, owned.task) == (run.pk, "job", "Näme", TASK)
        assert (json.loads(owned.args), json.loads(owned.kwargs)) == (job.args, job.kwargs)
        assert (owned.scheduled_at, owned.attempt, owned.executor) == (NOON, 1, "default")
        assert (run.job_id, run.job_key, run.job_name, run.args, run.kwargs) == (
            "job",
            "job",
            "Näme",
            job.args,
            job.kwargs,
        )
        assert (run.state, run.kind, run.attempt, str(run.node)) == (RunState.QUEUED, RunKind.SCHEDULED, 1, node)
        assert (run.scheduled_at, run.due_at, run.created_at, run.priority) == (NOON, NOON, NOON, 3)
        assert (run.started_at, run.finished_at, run.error, run.coalesced) == (None, None, None, 0)
        assert Job.objects.get().next_run_time == NOON + HOUR

    def test_finds_nothing_before_a_job_is_due(self, session: Connection) -> None:
        add_job()

        assert claim(session, now=NOON - SECOND) == NOTHING
        assert not Run.objects.exists()

    def test_claims_each_fire_time_once(self, session: Connection) -> None:
        add_job()

        claim(session)

        assert claim(session) == NOTHING
        assert claim(session, now=NOON + HOUR).jobs == 1
        assert [at for at, _ in rows("job")] == [NOON, NOON + HOUR]

    def test_ends_its_transaction_when_planning_takes_long(
        self, session: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(claims, "SLICE_SECONDS", -1.0)
        for number in range(3):
            add_job(f"job-{number}")

        found = [claim(session) for _ in range(3)]

        assert [(part.jobs, part.left) for part in found] == [(1, 2), (1, 1), (1, 0)]
        assert claim(session) == NOTHING
        assert sorted(Run.objects.values_list("job_key", flat=True)) == ["job-0", "job-1", "job-2"]

    def test_ends_its_transaction_when_it_has_many_rows(
        self, session: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(claims, "SLICE_ROWS", 25)
        for number in range(5):
            add_job(f"job-{number}", due_at=NOON - 9 * HOUR, coalesce=False, misfire_grace_time=None, max_instances=10)

        found = [claim(session, limit=5) for _ in range(2)]

        assert [(part.jobs, part.left) for part in found] == [(3, 2), (2, 0)], (
            "the first one left some over, and says so"
        )
        assert Run.objects.count() == 5 * 10

    def test_plans_jobs_that_are_alike_once_and_each_other_one_by_itself(
        self, session: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        planned: list[datetime] = []
        plan = planning.plan

        def counted(*, due_at: datetime, **more: Any) -> Any:
            planned.append(due_at)
            return plan(due_at=due_at, **more)

        monkeypatch.setattr(planning, "plan", counted)
        alike = [add_job(f"alike-{number}") for number in range(3)]
        add_job("patient", due_at=NOON - MINUTE)
        add_job("strict", due_at=NOON - MINUTE, misfire_grace_time=1)
        add_job("hourly", trigger={"type": "cron", "expression": "0 * * * *", "timezone": "UTC"})
        add_run(add_job("busy"), scheduled_at=NOON - HOUR, state=RunState.RUNNING)

        claim(session)

        assert sorted(planned) == [NOON - MINUTE] * 2 + [NOON] * 3
        assert [rows(job.pk) for job in alike] == [[(NOON, RunState.QUEUED)]] * 3
        assert {job: rows(job)[-1][1] for job in ("patient", "strict", "busy")} == {
            "patient": RunState.QUEUED,
            "strict": RunState.MISSED,
            "busy": RunState.SKIPPED,
        }

    def test_takes_only_what_became_due_just_now_if_it_is_to(self, session: Connection) -> None:
        add_job("overdue", due_at=NOON - HOUR)
        add_job("due", due_at=NOON - SECOND)

        assert [run.job_id for run in claim(session, recent_seconds=2.0).owned] == ["due"]
        assert [run.job_id for run in claim(session).owned] == ["overdue"]

    def test_takes_only_the_jobs_that_are_named(self, session: Connection) -> None:
        add_job("overdue", due_at=NOON - HOUR)
        add_job("due", due_at=NOON - SECOND)
        add_job("later", due_at=NOON + SECOND)

        assert [run.job_id for run in claim(session, only=["due", "later"]).owned] == ["due"]
        assert claim(session, only=["due", "later"]).jobs == 0

    def test_remembers_the_jobs_that_fire_every_few_seconds(
        self, session: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(positions, "_MOST_FREQUENT", 2)
        known = Positions(whole_seconds=0.0)
        for second, (name, seconds) in enumerate({"one": 1, "hourly": 3600, "two": 2, "three": 3}.items()):
            at = NOON - HOUR + second * SECOND
            trigger = {"type": "interval", "seconds": seconds, "timezone": "UTC", "start_at": at.isoformat()}
            add_job(name, due_at=at, trigger=trigger)
            claim(session, positions=known, only=[name], now=at)

        assert known.frequent() == ["two", "three"]

    def test_skips_what_another_node_has_locked(self, open_session: Open) -> None:
        add_job("locked")
        add_job("free", due_at=NOON - SECOND)
        one, other = open_session(), open_session()
        with one.transaction() as transaction:
            held = transaction.execute("claim_due_jobs", now=NOON - SECOND, tasks=[TASK], limit=1, **ANY_JOB)
            assert [row[0] for row in held] == ["free"]

            found = claim(other)

            assert [run.job_id for run in found.owned] == ["locked"]
        assert [run.job_id for run in claim(other).owned] == ["free"]

    def test_gives_two_nodes_different_jobs(self, open_session: Open) -> None:
        for number in range(20):
            add_job(f"job-{number}", due_at=NOON - number * SECOND)
        one, other = open_session(), open_session()

        found = [claim(session, limit=5) for session in (one, other, one, other)]

        claimed = [run.job_id for part in found for run in part.owned]
        assert len(claimed) == len(set(claimed)) == 20
        assert claim(one) == NOTHING

    def test_takes_the_oldest_first_and_no_more_than_the_limit(self, session: Connection) -> None:
        for number in range(3):
            add_job(f"job-{number}", due_at=NOON - number * MINUTE)

        found = claim(session, limit=2)

        assert found.jobs == 2
        assert [run.job_id for run in found.owned] == ["job-2", "job-1"]

    def test_owns_no_more_than_there_is_room_for(self, session: Connection, node: str) -> None:
        for number in range(5):
            add_job(f"job-{number}", due_at=NOON - number * SECOND)
        add_job("other", executor="processpool")

        found = claim(session, node=node, room={"default": 2, "processpool": 0})

        assert len(found.owned) == 2
        assert found.waiting == 4
        assert Run.objects.filter(node=node).count() == 2
        assert Run.objects.filter(node=None, state=RunState.QUEUED).count() == 4

    def test_leaves_runs_of_executors_that_it_has_not_without_a_node(self, session: Connection) -> None:
        add_job(executor="celery")

        assert claim(session).waiting == 1

    def test_prefers_a_higher_priority_when_room_is_scarce(self, session: Connection) -> None:
        add_job("old", due_at=NOON - MINUTE)
        add_job("urgent", priority=5)
        add_job("more urgent", priority=9)

        found = claim(session, room={"default": 2})

        assert [run.job_id for run in found.owned] == ["more urgent", "urgent"]

    def test_takes_a_fire_time_that_is_in_the_ledger_already_for_an_answer(self, session: Connection) -> None:
        job = add_job()
        add_run(job, state=RunState.SUCCEEDED)
        add_job("other")

        found = claim(session)

        assert [run.job_id for run in found.owned] == ["other"]
        assert found.jobs == 2
        assert rows(job) == [(NOON, RunState.SUCCEEDED)]
        assert Job.objects.get(pk="job").next_run_time == NOON + HOUR

    def test_takes_a_job_with_a_broken_trigger_alone_out_of_the_schedule(self, session: Connection) -> None:
        add_job("broken", trigger={"type": "cron", "expression": "not a cron"})
        add_job("sound")

        found = claim(session)

        broken = Job.objects.get(pk="broken")
        assert [run.job_id for run in found.owned] == ["sound"]
        assert found.broken[0][0] == "broken"
        assert (broken.state, broken.next_run_time, broken.interrupted_at) == (JobState.BROKEN, None, NOON)
        assert "not a cron" in broken.state_reason
        assert rows("broken") == []

    def test_takes_a_job_that_cannot_be_planned_alone_out_of_the_schedule(
        self, session: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_job("odd", due_at=NOON - SECOND)
        add_job("sound")
        plan = planning.plan

        def stumble(*, due_at: datetime, **more: Any) -> Any:
            if due_at < NOON:
                raise OverflowError("date value out of range")
            return plan(due_at=due_at, **more)

        monkeypatch.setattr(planning, "plan", stumble)

        found = claim(session)

        assert [run.job_id for run in found.owned] == ["sound"]
        odd = Job.objects.get(pk="odd")
        assert (odd.state, odd.interrupted_at) == (JobState.BROKEN, NOON - SECOND)
        assert "OverflowError: date value out of range" in odd.state_reason

    @pytest.mark.parametrize("due_at", ["-infinity", "0044-03-15 12:00+00 BC"])
    def test_claims_what_was_due_before_there_were_dates(self, session: Connection, due_at: str) -> None:
        add_job("odd")
        add_job("sound")
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_apscheduler_djangojob SET next_run_time = %s WHERE id = 'odd'", [due_at])

        found = claim(session)

        assert {run.job_id for run in found.owned} == {"odd", "sound"}
        assert Job.objects.get(pk="odd").next_run_time == NOON + HOUR

    def test_counts_as_many_fire_times_as_a_row_can_hold(self, session: Connection) -> None:
        since = datetime(1900, 1, 1, tzinfo=UTC)
        trigger = {"type": "interval", "seconds": 1, "timezone": "UTC", "start_at": since.isoformat()}
        add_job("odd", due_at=since, trigger=trigger)
        add_job("sound")

        found = claim(session)

        assert {run.job_id for run in found.owned} == {"odd", "sound"}
        assert Run.objects.get(job_key="odd").coalesced == 2**31 - 1

    def test_leaves_jobs_alone_whose_task_this_node_does_not_know(self, session: Connection) -> None:
        add_job(task="tests.unknown")

        assert claim(session) == NOTHING
        assert Job.objects.get().next_run_time == NOON

    @pytest.mark.parametrize("state", [JobState.PAUSED, JobState.BROKEN, JobState.FINISHED])
    def test_leaves_jobs_alone_that_are_not_active(self, session: Connection, state: JobState) -> None:
        add_job(state=state)

        assert claim(session) == NOTHING

    def test_leaves_jobs_alone_that_nobody_has_inspected(self, session: Connection) -> None:
        add_job(needs_inspection=True)

        assert claim(session) == NOTHING

    def test_finishes_a_job_that_has_no_further_fire_time(self, session: Connection) -> None:
        job = add_job(trigger={"type": "date", "run_at": NOON.isoformat(), "timezone": "UTC"})

        assert len(claim(session).owned) == 1

        job.refresh_from_db()
        assert (job.state, job.next_run_time, job.state_changed_at) == (JobState.FINISHED, None, NOON)

    def test_delays_a_run_by_its_jitter_and_not_the_fire_times(self, session: Connection) -> None:
        trigger = {"type": "interval", "hours": 1, "start_at": NOON.isoformat(), "jitter_seconds": 60}
        for number in range(10):
            add_job(f"job-{number}", trigger=trigger)

        found = claim(session)

        runs = list(Run.objects.all())
        assert (found.owned, found.waiting) == ((), 10)
        assert {run.scheduled_at for run in runs} == {NOON}
        assert all(NOON <= run.due_at <= NOON + MINUTE for run in runs)
        assert len({run.due_at for run in runs}) > 1
        assert set(Job.objects.values_list("next_run_time", flat=True)) == {NOON + HOUR}

    def test_counts_active_runs_of_the_job_whoever_runs_them(self, session: Connection) -> None:
        job = add_job()
        add_run(job, scheduled_at=NOON - HOUR, state=RunState.RUNNING, node=uuid4())

        found = claim(session)

        ((skipped, row),) = found.born_finished
        assert (skipped.id, row.state) == ("job", RunState.SKIPPED)
        run = Run.objects.get(scheduled_at=NOON)
        assert (run.state, run.finished_at, run.error) == (RunState.SKIPPED, NOON, None)
        assert "max_instances" in run.reason

    def test_records_what_is_too_late(self, session: Connection) -> None:
        add_job(misfire_grace_time=60)

        claim(session, now=NOON + 10 * MINUTE)

        run = Run.objects.get()
        assert (run.state, run.scheduled_at, run.finished_at) == (RunState.MISSED, NOON, NOON + 10 * MINUTE)
        assert "600 s late" in run.reason

    def test_writes_one_row_for_a_long_outage(self, session: Connection) -> None:
        add_job()

        claim(session, now=NOON + 1000 * HOUR)

        run = Run.objects.get()
        assert (run.covers_from, run.scheduled_at, run.coalesced) == (NOON, NOON + 1000 * HOUR, 1000)

    def test_holds_back_what_exceeds_max_instances(self, session: Connection) -> None:
        add_job(coalesce=False, max_instances=2)

        found = claim(session, now=NOON + 4 * HOUR)

        assert [run.scheduled_at for run in found.owned] == [NOON, NOON + HOUR]
        assert Run.objects.filter(held=True, node=None).count() == 3

    def test_writes_nothing_if_it_fails_before_the_commit(self, session: Connection, monkeypatch: Any) -> None:
        add_job()

        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError("in the middle")

        monkeypatch.setattr(claims, "_move", fail)
        with pytest.raises(RuntimeError):
            claim(session)

        assert not Run.objects.exists()
        assert Job.objects.get().next_run_time == NOON
        monkeypatch.undo()
        assert claim(session).jobs == 1

    def test_uses_the_clock_of_the_database_by_default(self, session: Connection) -> None:
        add_job("past", due_at=NOON - timedelta(days=3650))
        add_job("future", due_at=NOON + timedelta(days=36500))

        found = claim(session, now=None)

        assert [run.job_id for run in found.owned] == ["past"]


class TestTexts:
    def test_passes_any_text_to_the_database_unchanged(self, session: Connection) -> None:
        nasty = ["", " ", "a,b", '"', "\\", "{}", "NULL", "null", "'", "Ünïcode 🙂", "\n\t", "%s %(a)s", '\\"']

        with session.raw().cursor() as cursor:
            cursor.execute("SELECT unnest(%s::text[])", [texts([*nasty, None])])
            found = [value for (value,) in cursor.fetchall()]

        assert found == [*nasty, None]
