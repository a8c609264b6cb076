"""However many runs are held, a pass reads about as many as it releases."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from scheduler.core.states import RunState
from scheduler.models import Job, Run
from scheduler.store import statements
from scheduler.store.recording import held_runs
from scheduler.store.recording.held_runs import HeldRuns
from scheduler.store.sessions.connections import Connection, array, texts
from tests.ledger import HOUR, MINUTE, NOON, SECOND, add_job, add_run

MANY = 5000


def hold_many(job: Job, count: int = MANY) -> None:
    Run.objects.bulk_create(
        Run.of(job, scheduled_at=NOON - n * SECOND, now=NOON, held=True, kind="manual") for n in range(1, count + 1)
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE scheduler_run")


def rows_read(plan: dict[str, Any]) -> float:
    """Return how many rows the scans of a plan returned and threw away."""
    read = 0.0
    if "Relation Name" in plan:
        read = plan["Actual Loops"] * (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0))
    return read + sum(rows_read(part) for part in plan.get("Plans", ()))


def explain(session: Connection, statement: str, **parameters: Any) -> float:
    with session.raw().cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statements.load(statement), parameters)
        ((found,),) = cursor.fetchall()
    return rows_read(found[0]["Plan"])


class TestAJobThatHoldsMany:
    @pytest.fixture
    def job(self, session: Connection) -> Job:
        job = add_job(max_instances=3)
        hold_many(job)
        return job

    @pytest.mark.parametrize(
        ("statement", "parameters"),
        [
            ("release_held_runs", {"jobs": texts(["job"]), "limit": 10, "now": NOON}),
            ("held_jobs_after", {"after": "", "limit": 10, "now": NOON}),
            ("held_jobs_newly_due", {"since": None, "limit": 10, "now": NOON}),
            ("count_active_runs", {"jobs": texts(["job"]), "since": array([0])}),
        ],
    )
    def test_is_not_read_through(
        self, statement: str, parameters: dict[str, Any], job: Job, session: Connection
    ) -> None:
        assert explain(session, statement, **parameters) < 50

    def test_is_not_read_through_when_a_run_ends(self, job: Job, session: Connection) -> None:
        ended = add_run(job, state=RunState.SUCCEEDED)

        assert explain(session, "held_jobs_of_runs", runs=array([ended.pk]), now=NOON) < 50

    def test_gets_as_many_as_it_has_room_for(self, job: Job, session: Connection) -> None:
        assert HeldRuns().release(session, now=NOON) == 3
        oldest = [NOON - n * SECOND for n in (MANY, MANY - 1, MANY - 2)]
        assert list(Run.objects.filter(held=False).order_by("scheduled_at").values_list("scheduled_at", flat=True)) == (
            oldest
        )


class TestARunThatEnded:
    def test_makes_room_for_its_own_job_only(self, session: Connection) -> None:
        for name in ("mine", "other"):
            add_run(add_job(name), held=True)
        ended = add_run(Job.objects.get(pk="mine"), scheduled_at=NOON - HOUR, state=RunState.SUCCEEDED)

        assert held_runs.release_behind(session, runs=[ended.pk], now=NOON) == 1
        assert Run.objects.get(job_id="other").held


class TestGoingRound:
    def test_reaches_every_job_in_turn(self, session: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(held_runs, "_MOST_JOBS", 2)
        monkeypatch.setattr(held_runs, "_LEAST_JOBS", 2)
        monkeypatch.setattr(held_runs, "_ROUND_SECONDS", 0.0)
        for number in range(5):
            add_run(add_job(f"job-{number}"), held=True)
        held = HeldRuns()

        released = [held.release(session, now=NOON) for _ in range(4)]

        assert sum(released) == 5
        assert max(released) <= 4

    def test_visits_fewer_jobs_at_once_after_a_visit_that_took_long(
        self, session: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(held_runs, "_ROUND_SECONDS", 0.0)
        execute, visited = session.execute, []

        def noted(statement: str, **parameters: Any) -> Any:
            if statement == "held_jobs_after":
                visited.append(parameters["limit"])
            return execute(statement, **parameters)

        monkeypatch.setattr(session, "execute", noted)
        held = HeldRuns()

        for _ in range(7):
            held.release(session, now=NOON)

        assert visited == [200, 100, 50, 25, 12, 10, 10]

    def test_passes_by_a_run_that_somebody_has_locked(self, open_session: Any) -> None:
        job = add_job()
        locked = add_run(job, scheduled_at=NOON - MINUTE, held=True)
        free = add_run(job, held=True)
        somebody, node = open_session(), open_session()
        with somebody.transaction() as transaction:
            transaction.execute("lock_runs", runs=array([locked.pk]))

            assert HeldRuns().release(node, now=NOON) == 1

        assert not Run.objects.get(pk=free.pk).held

    def test_leaves_runs_of_deleted_jobs_to_the_sweep(self, session: Connection) -> None:
        orphan = add_run(add_job(), held=True, node=None)
        Run.objects.filter(pk=orphan.pk).update(job_id=None)

        assert HeldRuns().release(session, now=NOON) == 0
