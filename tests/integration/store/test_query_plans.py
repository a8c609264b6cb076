"""The statements of the tick on tables of 20,000 rows: none of them may read a large table from end to end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection

from scheduler.core.states import RunState
from scheduler.services.queries import run_queries
from scheduler.services.queries.run_queries import RunFilter
from scheduler.store import statements
from scheduler.store.sessions.connections import Connection, array, instants, texts
from tests.ledger import HOUR, NOON, TASK, add_job, add_node, add_run, multiply

pytestmark = pytest.mark.django_db(transaction=True)

LARGE = {"django_apscheduler_djangojob", "scheduler_job", "scheduler_run"}
ROWS = 20_000
NODE = UUID(int=7)


@pytest.fixture
def large(transactional_db: None) -> Iterator[None]:
    """20,000 jobs, 20 of them due; 20,000 runs, 500 of them waiting, 50 owned, 50 held, the others finished."""
    job = add_job(due_at=NOON + HOUR)
    add_run(job, state=RunState.SUCCEEDED)
    for _ in range(200):
        add_node()
    soon = "to_jsonb(timestamptz '2027-03-01 12:00:10+00' + (n - 20) * interval '10 seconds')"
    multiply(
        "django_apscheduler_djangojob",
        "id",
        count=ROWS,
        changes=f"jsonb_build_object('id', 'job-' || n, 'next_run_time', {soon})",
    )
    multiply(
        "scheduler_job", "djangojob_ptr_id", count=ROWS, changes="jsonb_build_object('djangojob_ptr_id', 'job-' || n)"
    )
    active = "CASE WHEN n <= 600 THEN NULL ELSE original.finished_at END"
    multiply(
        "scheduler_run",
        "id",
        count=ROWS,
        changes=f"""jsonb_build_object(
            'id', original.id + n, 'job_id', 'job-' || n, 'finished_at', {active},
            'state', CASE WHEN n <= 600 THEN 'queued' ELSE 'succeeded' END,
            'held', n BETWEEN 501 AND 550, 'node', CASE WHEN n BETWEEN 551 AND 600 THEN '{NODE}' END)""",
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    yield
    with connection.cursor() as cursor:
        # The statistics of this test would mislead whoever comes next.
        cursor.execute("TRUNCATE scheduler_run, scheduler_job, django_apscheduler_djangojob CASCADE")
        cursor.execute("ANALYZE")


def scanned_from_end_to_end(plan: dict[str, Any]) -> set[str]:
    found = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    for part in plan.get("Plans", ()):
        found |= scanned_from_end_to_end(part)
    return found


def steps_of(plan: dict[str, Any]) -> set[str]:
    return {plan["Node Type"]}.union(*(steps_of(part) for part in plan.get("Plans", ())))


def indexes_of(plan: dict[str, Any]) -> set[str]:
    found = {plan["Index Name"]} if "Index Name" in plan else set()
    for part in plan.get("Plans", ()):
        found |= indexes_of(part)
    return found


RINGING = {"broker": "celery", "most_inflight": 1000, "again_seconds": 30, "longest_seconds": 600, "now": NOON}

ANYTHING = {"only": None, "recent": None, "passed_by": "{}", "tzdata": "2026a"}

STATEMENTS: dict[str, dict[str, Any]] = {
    "claim_due_jobs": {"tasks": [TASK], "limit": 500, "now": NOON, "since": NOON - HOUR, **ANYTHING},
    "first_due": {"since": NOON - HOUR},
    "count_active_runs": {"jobs": texts([f"job-{n}" for n in range(500)]), "since": array([0] * 500)},
    "move_next_run_times": {
        "jobs": texts(["job-1", "job-2"]),
        "places": texts(["(0,1)", "(0,2)"]),
        "next_run_times": "{2027-03-02,2027-03-02}",
    },
    "take_runs": {
        "node": str(uuid4()),
        "executor": "default",
        "tasks": [TASK],
        "limit": 50,
        "now": NOON,
        "only": None,
    },
    "find_due_jobs": {
        "tasks": [TASK],
        "limit": 500,
        "now": NOON,
        "since": NOON - HOUR,
        "recent": 2.0,
        "passed_by": "{}",
        "tzdata": "2026a",
    },
    "find_old_outputs": {"after": 0, "limit": 2000, "cutoff": NOON},
    "drop_outputs": {"runs": array(range(1, 100))},
    "find_waiting_runs": {"executor": "default", "tasks": [TASK], "limit": 50, "now": NOON},
    "lock_runs": {"runs": array(range(1, 100))},
    "set_run_apart": {"run": 1, "node": None, "state": "failed", "error": ""},
    "start_runs": {"runs": array(range(1, 100)), "node": str(NODE), "now": NOON},
    "succeed_runs": {
        "runs": array(range(1, 100)),
        "started_ages": array(range(1, 100)),
        "finished_ages": array(range(1, 100)),
        "node": str(NODE),
        "now": NOON,
    },
    "give_back_runs": {"runs": array(range(1, 100)), "node": str(NODE)},
    "settled_runs": {"runs": array(range(1, 100)), "node": str(NODE)},
    "owned_runs": {"node": str(NODE), "since": 0},
    "next_due": {
        "tasks": [TASK],
        "executors": ["default"],
        "now": NOON,
        "since": NOON - HOUR,
        "held": True,
        "tzdata": "2026a",
    },
    "held_jobs_of_runs": {"runs": array(range(1, 500)), "now": NOON},
    "held_jobs_newly_due": {"since": NOON - HOUR, "limit": 200, "now": NOON},
    "held_jobs_after": {"after": "", "limit": 200, "now": NOON},
    "lock_jobs": {"jobs": texts([f"job-{n}" for n in range(501, 551)])},
    "release_held_runs": {"jobs": texts([f"job-{n}" for n in range(501, 551)]), "limit": 5, "now": NOON},
    "cancel_orphaned_runs": {"limit": 500, "now": NOON},
    "runs_of_ended_nodes": {"limit": 200},
    "requeue_runs_of_ended_nodes": {"runs": array(range(1, 100))},
    "interrupt_runs_of_ended_nodes": {
        "runs": array(range(1, 100)),
        "max_recoveries": 3,
        "reason_code": "node_lost",
        "error": "%s",
        "now": NOON,
    },
    "find_pauses_that_end": {"limit": 200, "now": NOON},
    "pauses_that_end": {"jobs": "{job-1}", "now": NOON, "tzdata": "2026a"},
    "find_jobs_to_inspect": {"broken": True, "after": "", "limit": 200},
    "jobs_to_inspect": {"jobs": "{job-1}", "broken": True, "tzdata": "2026a"},
    "reschedule_by_zone": {"after": "job-1", "limit": 100},
    "stamp_runs_to_ring": {"limit": 500, **RINGING},
    "next_ring": RINGING,
    "unstamp_runs": {"runs": array(range(1, 100)), "rings": array([1] * 99)},
    "take_rung_runs": {
        "runs": array(range(1, 100)),
        "attempts": array([1] * 99),
        "node": str(NODE),
        "tasks": [TASK],
        "limited": [TASK],
        "now": NOON,
    },
    "waiting_rung_runs": {"runs": array(range(1, 100)), "attempts": array([1] * 99)},
    "turn_down_runs": {
        "runs": array(range(1, 100)),
        "attempts": array([1] * 99),
        "node": str(NODE),
        "tasks": [TASK],
        "reason_code": "worker_lacks_task",
        "at_once": False,
        "now": NOON,
    },
    "covered": {"job": "job-1", "first": NOON - HOUR, "until": NOON, "limit": 500},
    "find_covered": {"jobs": "{job-1}", "firsts": instants([NOON - HOUR]), "lasts": instants([NOON])},
}


EXPECTED_INDEXES = {
    "find_old_outputs": "scheduler_run_pkey",
    "drop_outputs": "scheduler_run_pkey",
    "stamp_runs_to_ring": "scheduler_run_to_ring",
    "next_ring": "scheduler_run_to_ring",
    "take_rung_runs": "scheduler_run_pkey",
    "turn_down_runs": "scheduler_run_pkey",
    "waiting_rung_runs": "scheduler_run_pkey",
    "unstamp_runs": "scheduler_run_pkey",
    "covered": "scheduler_run_of_removed_job",
    "find_covered": "scheduler_run_once_per_fire_time",
    "count_active_runs": "scheduler_run_active_of_job",
    "take_runs": "scheduler_run_waiting",
    "next_due": "scheduler_run_waiting",
    "owned_runs": "scheduler_run_owned_by_node",
    "runs_of_ended_nodes": "scheduler_run_owned_by_node",
    "held_jobs_of_runs": "scheduler_run_held_of_job",
    "held_jobs_newly_due": "scheduler_run_held",
    "held_jobs_after": "scheduler_run_held_of_job",
    "release_held_runs": "scheduler_run_held_of_job",
    "cancel_orphaned_runs": "scheduler_run_held_of_job",
}


@pytest.fixture
def plans(large: None) -> dict[str, dict[str, Any]]:
    """How PostgreSQL would execute each statement."""
    session = Connection(purpose="test")
    found = {}
    try:
        with session.raw().cursor() as cursor:
            for name, parameters in STATEMENTS.items():
                cursor.execute("EXPLAIN (FORMAT JSON) " + statements.load(name), parameters)
                ((described,),) = cursor.fetchall()
                found[name] = described[0]["Plan"]
    finally:
        session.close()
    return found


class TestTheStatementsOfTheTick:
    def test_read_no_large_table_from_end_to_end_and_use_the_indexes_made_for_them(
        self, plans: dict[str, dict[str, Any]]
    ) -> None:
        scanned = {name: scanned_from_end_to_end(plan) & LARGE for name, plan in plans.items()}
        assert {name: tables for name, tables in scanned.items() if tables} == {}
        assert {name for name, index in EXPECTED_INDEXES.items() if index not in indexes_of(plans[name])} == set()

    def test_read_no_more_due_jobs_than_they_claim(self, plans: dict[str, dict[str, Any]]) -> None:
        assert not {"Sort", "Incremental Sort"} & steps_of(plans["claim_due_jobs"])


class TestAPlanThatIsKept:
    """A session plans ``take_enqueued_runs`` once, be the table as it may."""

    def test_is_on_indexes_although_it_is_made_for_an_empty_table(self) -> None:
        planned = statements.planned("take_enqueued_runs")
        asked = {"node": str(uuid4()), "executor": "default@default", "tasks": [TASK], "limit": 50}
        session = Connection(purpose="test")
        try:
            with session.raw().cursor() as cursor:
                cursor.execute("SET plan_cache_mode = force_generic_plan")
                cursor.execute("BEGIN;" + planned.prepare)
                execute = planned.execute.replace("EXECUTE", "EXPLAIN (FORMAT JSON) EXECUTE")
                for statement in execute.split(";"):
                    cursor.execute(statement, asked | dict.fromkeys(("only", "now", "priorities", "since", "after")))
                ((described,),) = cursor.fetchall()
        finally:
            session.close()

        plan = described[0]["Plan"]
        assert scanned_from_end_to_end(plan) == set()
        assert indexes_of(plan) >= {"scheduler_run_waiting", "scheduler_run_pkey"}


class TestTheMeasures:
    def test_look_for_passed_fire_times_only_where_a_run_gave_a_reason(self, large: None) -> None:
        session = Connection(purpose="test")
        try:
            with session.raw().cursor() as cursor:
                cursor.execute(
                    "EXPLAIN (FORMAT JSON) " + statements.load("jobs_not_started"),
                    {"jobs": None, "late": 60.0, "fire_times": 3, "most": 1000},
                )
                ((described,),) = cursor.fetchall()
        finally:
            session.close()

        plan = described[0]["Plan"]
        assert "scheduler_run" not in scanned_from_end_to_end(plan)
        assert indexes_of(plan) & {"scheduler_run_reasoned_of_job", "scheduler_run_reasoned"}


class TestTheListOfRuns:
    def test_finds_few_interrupted_runs_among_many_that_failed_by_their_stretches(self, large: None) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE scheduler_run SET error = 'No.', state = CASE WHEN id % 9999 = 7 THEN 'interrupted'"
                " ELSE 'failed' END WHERE finished_at IS NOT NULL"
            )
            cursor.execute("VACUUM ANALYZE scheduler_run")

        described = run_queries.runs(filter=RunFilter(states=("interrupted",)))[:51].explain(format="JSON")

        assert indexes_of(json.loads(described)[0]["Plan"]) == {"scheduler_run_states_of_errors"}
