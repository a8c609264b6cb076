"""Incidents of the kinds that depend on time: found by looking, on any node."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from scheduler.core.alerts import RuleKind
from scheduler.core.states import RunState
from scheduler.models import Job, Rollup
from scheduler.store import alerts
from scheduler.store.alerts import Settled
from scheduler.store.clock import database_now
from scheduler.store.sessions.connections import Connection
from tests.integration.alerts.happenings import channel, incidents, job, rule
from tests.ledger import add_node, add_run


def judge(session: Connection, kind: str) -> Settled:
    settled = alerts.judge(session, kind=RuleKind(kind))
    assert settled is not None
    return settled


def run(of: Job, *, minutes_ago: float, took_seconds: float = 1.0, **values: Any) -> None:
    at = database_now() - timedelta(minutes=minutes_ago)
    if values.get("state") is RunState.SUCCEEDED:
        values.setdefault("finished_at", at + timedelta(seconds=took_seconds))
    add_run(of, scheduled_at=at, **values)


def due(of: Job, *, minutes_ago: float) -> None:
    Job.objects.filter(pk=of.pk).update(next_run_time=database_now() - timedelta(minutes=minutes_ago))


class TestALateRule:
    def test_finds_what_is_due_and_not_planned(self, session: Connection) -> None:
        rule("late", seconds=300)
        late, on_time = job("late"), job("on_time")
        due(late, minutes_ago=6)
        due(on_time, minutes_ago=4)

        judge(session, "late")

        assert [incident.job_key for incident in incidents()] == ["late"]
        assert incidents()[0].measured == pytest.approx(360, abs=59)

    def test_finds_what_waits_in_the_queue(self, session: Connection) -> None:
        rule("late", seconds=300)
        late, running = job("late"), job("running")
        run(late, minutes_ago=6)
        run(running, minutes_ago=6, state=RunState.RUNNING)

        judge(session, "late")

        assert [incident.job_key for incident in incidents()] == ["late"]

    def test_closes_when_it_has_begun_and_opens_once(self, session: Connection) -> None:
        rule("late", seconds=300)
        late = job()
        due(late, minutes_ago=6)
        assert judge(session, "late").opened == 1
        assert judge(session, "late") == Settled(opened=0, closed=0)

        due(late, minutes_ago=-5)

        assert judge(session, "late").closed == 1
        assert incidents()[0].closed_because == "recovered"

    def test_leaves_paused_jobs_alone(self, session: Connection) -> None:
        rule("late", seconds=300)
        late = job(state="paused")
        due(late, minutes_ago=6)

        assert judge(session, "late").opened == 0


class TestADeadline:
    def test_counts_from_the_fire_time_to_the_end(self, session: Connection) -> None:
        rule("deadline", seconds=300)
        over, done, unplanned = job("over"), job("done"), job("unplanned")
        run(over, minutes_ago=6, state=RunState.RUNNING)
        run(done, minutes_ago=6, state=RunState.SUCCEEDED)
        due(unplanned, minutes_ago=6)

        judge(session, "deadline")

        assert {incident.job_key for incident in incidents()} == {"over", "unplanned"}


class TestASilentRule:
    def test_finds_jobs_without_a_success_for_so_long(self, session: Connection) -> None:
        rule("silent", seconds=3600)
        fine, failing, never, new = job("fine"), job("failing"), job("never"), job("new")
        run(fine, minutes_ago=30, state=RunState.SUCCEEDED)
        run(failing, minutes_ago=90, state=RunState.SUCCEEDED)
        run(failing, minutes_ago=30, state=RunState.FAILED)
        Job.objects.filter(pk=new.pk).update(created_at=database_now() - timedelta(minutes=30))

        judge(session, "silent")

        assert {incident.job_key for incident in incidents()} == {"failing", "never"}
        run(never, minutes_ago=1, state=RunState.SUCCEEDED)
        judge(session, "silent")
        assert [incident.job_key for incident in incidents(closed_at=None)] == ["failing"]

    def test_counts_from_the_end_of_a_pause(self, session: Connection) -> None:
        rule("silent", seconds=3600)
        job(state_changed_at=database_now() - timedelta(minutes=30))

        assert judge(session, "silent").opened == 0


class TestASlowRule:
    def test_finds_what_runs_for_longer_than_a_duration(self, session: Connection) -> None:
        rule("slow", seconds=300)
        slow, quick = job("slow"), job("quick")
        run(slow, minutes_ago=6, state=RunState.RUNNING)
        run(quick, minutes_ago=4, state=RunState.RUNNING)

        judge(session, "slow")

        assert [incident.job_key for incident in incidents()] == ["slow"]

    def test_finds_what_runs_for_a_multiple_of_its_usual_time(self, session: Connection) -> None:
        rule("slow", factor=3, samples=5)
        slow, usual, unknown = job("slow"), job("usual"), job("unknown")
        for known, seconds in ((slow, 60.0), (usual, 200.0)):
            for ago in range(5):
                run(known, minutes_ago=1000 + ago, took_seconds=seconds, state=RunState.SUCCEEDED)
        for ago in range(4):
            run(unknown, minutes_ago=1000 + ago, took_seconds=1.0, state=RunState.SUCCEEDED)
        for each in (slow, usual, unknown):
            run(each, minutes_ago=4, state=RunState.RUNNING)

        judge(session, "slow")

        (incident,) = incidents()
        assert (incident.job_key, incident.facts) == ("slow", {"usual": 60})


class TestADroppedRule:
    def test_counts_fire_times_missed_or_skipped(self, session: Connection) -> None:
        rule("dropped", threshold=3, seconds=7200)
        many, few, old = job("many"), job("few"), job("old")
        hour = database_now().replace(minute=0, second=0, microsecond=0)
        for of, back, missed, skipped in ((many, 1, 2, 2), (few, 1, 3, 0), (old, 4, 9, 9)):
            at = hour - timedelta(hours=back)
            Rollup.objects.create(
                job_key=of.pk, hour=at, missed=missed, skipped=skipped, last_finished_at=at, run_seconds=0
            )

        judge(session, "dropped")

        assert [(incident.job_key, incident.measured) for incident in incidents()] == [("many", 4)]


class TestAResultRule:
    @pytest.mark.parametrize(
        ("operator", "value", "result", "holds"),
        [
            ("=", 0, {"documents": {"new": 0}}, True),
            ("=", 0, {"documents": {"new": 1}}, False),
            ("=", 0, {"documents": {}}, False),
            ("=", 0, None, False),
            ("=", "empty", {"documents": {"new": "empty"}}, True),
            ("!=", 0, {"documents": {"new": 1}}, True),
            ("<", 10, {"documents": {"new": 9}}, True),
            ("<", 10, {"documents": {"new": "9"}}, False),
            (">=", 10, {"documents": {"new": 10.5}}, True),
            (">", 100, {"documents": {"new": 99}}, False),
        ],
    )
    def test_compares_a_value(
        self, session: Connection, operator: str, value: object, result: object, holds: bool
    ) -> None:
        rule("result", path="documents.new", operator=operator, value=value)
        run(job(), minutes_ago=1, state=RunState.SUCCEEDED, result=result)

        assert judge(session, "result").opened == holds

    def test_wants_it_so_many_runs_in_a_row(self, session: Connection) -> None:
        rule("result", path="new", operator="=", value=0, threshold=3)
        thrice, twice = job("thrice"), job("twice")
        for ago, new in ((3, 0), (2, 0), (1, 0)):
            run(thrice, minutes_ago=ago, state=RunState.SUCCEEDED, result={"new": new})
        for ago, new in ((3, 1), (2, 0), (1, 0)):
            run(twice, minutes_ago=ago, state=RunState.SUCCEEDED, result={"new": new})

        judge(session, "result")

        (incident,) = incidents()
        assert (incident.job_key, incident.facts) == ("thrice", {"value": 0})
        run(thrice, minutes_ago=0, state=RunState.SUCCEEDED, result={"new": 5})
        assert judge(session, "result").closed == 1


@pytest.mark.usefixtures("patient_with_heartbeats")
class TestASystemRule:
    def test_finds_nothing_wrong_where_no_node_ever_ran(self, session: Connection) -> None:
        rule("system")

        assert judge(session, "system").opened == 0

    def test_finds_that_the_last_node_is_silent(self, session: Connection) -> None:
        rule("system")
        add_node(beat_at=database_now() - timedelta(minutes=5))

        judge(session, "system")

        (incident,) = incidents()
        assert (incident.subject, incident.job_key) == ("system:nodes", "")

    def test_finds_overdue_jobs(self, session: Connection) -> None:
        rule("system")
        add_node(beat_at=database_now())
        due(job(), minutes_ago=10)

        judge(session, "system")

        assert [incident.subject for incident in incidents()] == ["system:overdue"]

    def test_finds_a_channel_that_fails(self, session: Connection) -> None:
        rule("system")
        fails = channel(failing_since=database_now() - timedelta(minutes=20))
        channel(failing_since=database_now() - timedelta(minutes=2))

        judge(session, "system")

        assert [incident.subject for incident in incidents()] == [f"system:channel:{fails.pk}"]


class TestJudging:
    def test_is_left_to_the_node_that_does_it_already(self, session: Connection) -> None:
        rule("late", seconds=300)
        other = Connection(purpose="test")
        with other.transaction() as transaction:
            transaction.execute("try_lock", lock=alerts._JUDGE_LOCK)

            assert alerts.judge(session, kind=RuleKind.LATE) is None
        other.close()

    def test_opens_for_a_new_rule_what_holds_already(self, session: Connection) -> None:
        failing, fine = job("failing", consecutive_failures=5), job("fine")
        made = rule("failing", threshold=3)

        alerts.judge(session, kind=RuleKind.FAILING, rule=made.pk)

        assert [incident.job_key for incident in incidents()] == [failing.pk]
        assert fine.pk != failing.pk
