"""
The statements of a node on tables of which the server has no statistics, as after a restore or beside many new jobs.

It takes each condition for a rare one then, and may choose to read all that is active for each row that is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from scheduler.core.states import RunState
from scheduler.store import statements
from scheduler.store.sessions.connections import Connection, array, instants, texts
from tests.ledger import HOUR, NOON, TASK, add_job, add_run, multiply

pytestmark = pytest.mark.django_db(transaction=True)

JOBS = 3000
WANTED = 100
NODE = UUID(int=7)
DAY = 24 * HOUR

ENDED, HELD, WAITING = range(3)
"""Each job has one run of each of these kinds, written one kind after the other."""


@pytest.fixture
def first_run(transactional_db: None) -> Iterator[int]:
    """Write 3,000 due jobs, each with a run that has ended, one that is held and one that waits."""
    with connection.cursor() as cursor:
        # The server counts rows by itself. In the middle of this it would find pages of which all rows are new.
        cursor.execute("ALTER TABLE scheduler_run SET (autovacuum_enabled = false)")
        cursor.execute("TRUNCATE scheduler_run, scheduler_job, django_apscheduler_djangojob CASCADE")
    job = add_job(due_at=NOON - HOUR)
    original = add_run(job, state=RunState.SUCCEEDED, scheduled_at=NOON - DAY)
    multiply("django_apscheduler_djangojob", "id", count=JOBS, changes="jsonb_build_object('id', 'job-' || n)")
    multiply(
        "scheduler_job", "djangojob_ptr_id", count=JOBS, changes="jsonb_build_object('djangojob_ptr_id', 'job-' || n)"
    )
    for kind in (ENDED, HELD, WAITING):
        at = f"to_jsonb(timestamptz '{NOON.isoformat()}' - {5 - kind} * interval '1 hour')"
        multiply(
            "scheduler_run",
            "id",
            count=JOBS,
            changes=f"""jsonb_build_object(
                'id', {original.pk + kind * JOBS} + n, 'job_id', 'job-' || n, 'job_key', 'job-' || n,
                'held', {kind == HELD}, 'state', '{"succeeded" if kind == ENDED else "queued"}',
                'finished_at', {"original.finished_at" if kind == ENDED else "NULL"},
                'scheduled_at', {at}, 'due_at', {at})""",
        )
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM pg_statistic WHERE starelid::regclass::text ~ '^(scheduler|django_apscheduler)_'")
    yield original.pk + 1
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE scheduler_run, scheduler_job, django_apscheduler_djangojob CASCADE")
        cursor.execute("ALTER TABLE scheduler_run RESET (autovacuum_enabled)")
        cursor.execute("ANALYZE")


def statements_for(first_run: int) -> dict[str, dict[str, Any]]:
    """Return statements with parameters by which each of them is about a hundred jobs or runs."""
    jobs = texts([f"job-{number}" for number in range(1, WANTED + 1)])
    waiting = array(range(first_run + WAITING * JOBS, first_run + WAITING * JOBS + WANTED))
    held = array(range(first_run + HELD * JOBS, first_run + HELD * JOBS + WANTED))
    each_noon = instants([NOON] * WANTED)
    due = {"tasks": [TASK], "limit": WANTED, "now": NOON, "since": NOON - DAY, "recent": 7200.0}
    due |= {"passed_by": "{}", "tzdata": "2026a"}
    here = {"node": str(NODE), "now": NOON}
    attempts = array([1] * WANTED)
    return {
        "claim_due_jobs": due | {"only": None},
        "find_due_jobs": due,
        "count_active_runs": {"jobs": jobs, "since": array([0] * WANTED)},
        "find_covered": {"jobs": jobs, "firsts": instants([NOON - HOUR] * WANTED), "lasts": each_noon},
        "fold_into_held_run": {"runs": held, "scheduled_at": each_noon, "counts": array([1] * WANTED)},
        "held_jobs_of_runs": {"runs": waiting, "now": NOON},
        "take_runs": {"executor": "default", "tasks": [TASK], "limit": WANTED, "only": None, **here},
        "start_runs": {"runs": waiting, **here},
        "succeed_runs": {"runs": waiting, "started_ages": attempts, "finished_ages": attempts, **here},
        "waiting_rung_runs": {"runs": waiting, "attempts": attempts},
    }


def rows_read(plan: dict[str, Any]) -> float:
    """Return how many rows of tables an execution read."""
    removed = sum(value for name, value in plan.items() if name.startswith("Rows Removed by"))
    own = (plan["Actual Rows"] + removed) * plan["Actual Loops"] if "Relation Name" in plan or removed else 0
    return own + sum(rows_read(part) for part in plan.get("Plans", ()))


def test_a_statement_reads_a_few_rows_for_each_job_or_run_that_it_is_about(first_run: int) -> None:
    session = Connection(purpose="test")
    found = {}
    try:
        with session.raw().cursor() as cursor:
            for name, parameters in statements_for(first_run).items():
                cursor.execute("BEGIN")
                cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statements.load(name), parameters)
                ((described,),) = cursor.fetchall()
                cursor.execute("ROLLBACK")
                found[name] = rows_read(described[0]["Plan"])
    finally:
        session.close()

    assert {name: rows for name, rows in found.items() if rows > 10 * WANTED} == {}
