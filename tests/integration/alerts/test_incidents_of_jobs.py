"""Incidents open, grow and close with what is recorded about a job, in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import psycopg2
import pytest
from django.db import connection as web

from scheduler.core import reasons
from scheduler.core.states import RunState
from scheduler.models import Incident, Job, Rule
from scheduler.services import jobs
from scheduler.services.alerts import sentences
from scheduler.store import alerts
from scheduler.store.clock import database_now
from scheduler.store.jobs import definitions
from scheduler.store.sessions.connections import Connection
from tests.contract import tasks  # noqa: F401 - registers the tasks
from tests.integration.alerts.happenings import end, fail, incidents, job, rule, succeed
from tests.ledger import add_node, add_run


class TestAFailingRule:
    def test_opens_at_its_threshold_and_not_before(self, session: Connection, node: str) -> None:
        rule("failing", threshold=3)
        nightly = job()
        fail(session, node, nightly, 2)
        assert incidents() == []

        fail(session, node, nightly)

        (incident,) = incidents()
        assert (incident.subject, incident.count, incident.measured) == (f"job:{nightly.pk}", 3, 3)
        assert incident.text == "Boom"
        assert incident.run is not None

    def test_counts_further_failures_in_the_incident_that_is_open(self, session: Connection, node: str) -> None:
        rule("failing", threshold=3)
        nightly = job()

        fail(session, node, nightly, 12)

        (incident,) = incidents()
        assert (incident.count, incident.measured, incident.closed_at) == (12, 12, None)

    def test_closes_with_a_success(self, session: Connection, node: str) -> None:
        rule("failing")
        nightly = job()
        fail(session, node, nightly)

        succeed(session, node, nightly)

        (incident,) = incidents()
        assert incident.closed_because == "recovered"
        assert incident.closed_at is not None

    def test_opens_another_incident_for_the_next_period(self, session: Connection, node: str) -> None:
        rule("failing")
        nightly = job()
        for _ in range(2):
            fail(session, node, nightly)
            succeed(session, node, nightly)

        assert [incident.closed_because for incident in incidents()] == ["recovered", "recovered"]

    def test_notices_nothing_when_a_job_fails_twice_and_then_succeeds(self, session: Connection, node: str) -> None:
        rule("failing", threshold=3)
        nightly = job()
        fail(session, node, nightly, 2)
        succeed(session, node, nightly)
        fail(session, node, nightly, 2)

        assert incidents() == []

    def test_does_not_count_a_failure_that_is_tried_again(self, session: Connection, node: str) -> None:
        rule("failing")

        fail(session, node, job(max_retries=1))

        assert incidents() == []

    def test_counts_timeouts_as_failures(self, session: Connection, node: str) -> None:
        rule("failing", threshold=2)

        end(session, node, job(), RunState.TIMED_OUT, RunState.FAILED)

        assert len(incidents()) == 1

    @pytest.mark.parametrize(
        ("scope", "target", "watched"),
        [
            ("everything", "", {"a", "b"}),
            ("job", "a", {"a"}),
            ("tag", "billing", {"b"}),
            ("task", "tests.nothing", {"a", "b"}),
            ("task", "tests.other", set()),
        ],
    )
    def test_watches_only_what_it_names(
        self, session: Connection, node: str, scope: str, target: str, watched: set[str]
    ) -> None:
        rule("failing", scope=scope, target=target)
        for each in (job("a"), job("b", tags=["billing"])):
            fail(session, node, each)

        assert {incident.job_key for incident in incidents()} == watched

    def test_that_is_off_opens_nothing(self, session: Connection, node: str) -> None:
        rule("failing", enabled=False)
        fail(session, node, job())

        assert incidents() == []

    def test_notes_another_kind_of_error_once(self, session: Connection, node: str) -> None:
        rule("failing")
        nightly = job()
        fail(session, node, nightly, error="Row 17 is missing\nline two")
        fail(session, node, nightly, error="Row 18 is missing")
        (incident,) = incidents()
        assert incident.changed_at is None

        fail(session, node, nightly, error="Connection refused")

        incident.refresh_from_db()
        assert incident.changed_at is not None
        assert incident.text == "Connection refused"

        Incident.objects.update(changed_at=None)
        fail(session, node, nightly, error="Row 19 is missing")
        incident.refresh_from_db()
        assert incident.changed_at is None

    def test_stays_open_when_the_scheduler_pauses_the_job_for_it(self, session: Connection, node: str) -> None:
        rule("failing", threshold=2)
        nightly = job(pause_after_failures=3)

        fail(session, node, nightly, 3)

        nightly.refresh_from_db()
        (incident,) = incidents()
        assert (nightly.state, incident.closed_at) == ("paused", None)

    def test_costs_a_success_nothing(self, session: Connection, node: str) -> None:
        rule("failing")
        steady = job()
        with _judging_forbidden():
            succeed(session, node, steady)

            with pytest.raises(psycopg2.Error, match="was judged"):
                fail(session, node, steady)

    def test_survives_the_deletion_of_the_rule_while_an_outcome_is_recorded(
        self, session: Connection, node: str
    ) -> None:
        gone = rule("failing")
        nightly = job()
        fail(session, node, nightly)
        Rule.objects.filter(pk=gone.pk)._raw_delete("default")  # type: ignore[attr-defined]

        fail(session, node, nightly)
        succeed(session, node, nightly)

        (incident,) = incidents()
        assert incident.closed_because == "recovered"


class TestAnIncidentOfAJob:
    @pytest.fixture
    def failing(self, session: Connection, node: str) -> Job:
        rule("failing")
        nightly = jobs.create(id="nightly", task="contract.first", trigger={"type": "cron", "expression": "0 1 * * *"})
        fail(session, node, nightly)
        return nightly

    def test_closes_when_somebody_pauses_the_job(self, failing: Job) -> None:
        jobs.pause(job=failing, actor="ada")

        (incident,) = incidents()
        assert (incident.closed_because, incident.closed_by) == ("paused", "ada")

    def test_closes_when_the_job_is_deleted(self, failing: Job) -> None:
        jobs.remove(job=failing, actor="ada")

        (incident,) = incidents()
        assert (incident.closed_because, incident.closed_by, incident.job_name) == ("deleted", "ada", failing.name)

    def test_closes_when_somebody_edits_when_or_what_the_job_runs(self, failing: Job) -> None:
        jobs.update(job=failing, trigger={"type": "cron", "expression": "0 2 * * *"}, actor="ada")

        (incident,) = incidents()
        assert (incident.closed_because, incident.closed_by) == ("edited", "ada")

    @pytest.mark.parametrize("words", [{"description": "Call Ada."}, {"tags": ["billing"]}, {"name": "Renamed"}])
    def test_stays_open_when_only_words_change(self, failing: Job, words: dict[str, object]) -> None:
        jobs.update(job=failing, **words)

        (incident,) = incidents()
        assert incident.closed_at is None

    def test_closes_when_sql_deletes_the_job(self, failing: Job) -> None:
        with web.cursor() as cursor:
            cursor.execute("DELETE FROM scheduler_job WHERE djangojob_ptr_id = 'nightly'")

        (incident,) = incidents()
        assert incident.closed_because == "deleted"

    def test_does_not_call_it_a_recovery_when_a_paused_job_is_resumed(self, session: Connection, node: str) -> None:
        rule("failing")
        nightly = jobs.create(
            id="nightly",
            task="contract.first",
            trigger={"type": "cron", "expression": "0 1 * * *"},
            pause_after_failures=1,
        )
        fail(session, node, nightly)

        jobs.resume(job=nightly, actor="ada")

        (incident,) = incidents()
        assert (incident.closed_because, incident.closed_by) == ("resumed", "ada")


class TestABrokenRule:
    def test_opens_when_a_job_cannot_run_and_closes_when_it_heals(self, session: Connection) -> None:
        rule("broken")
        nightly = jobs.create(id="nightly", task="contract.first", trigger={"type": "cron", "expression": "0 1 * * *"})
        gone = reasons.DEFINITION_UNREADABLE(type="ValueError", error="its task is gone")
        definitions.break_jobs(session, problems=[(nightly.pk, gone)])
        (incident,) = incidents()
        assert (incident.kind, incident.closed_at) == ("broken", None)
        assert "its task is gone" in sentences.detail(incident)

        jobs.update(job=nightly, actor="ada", kwargs={})

        incident.refresh_from_db()
        assert incident.closed_because == "recovered"


@contextmanager
def _judging_forbidden() -> Iterator[None]:
    """Let every call of the trigger that judges jobs fail."""
    with web.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('scheduler_judge_job()'::regprocedure)")
        (function,) = cursor.fetchone()
        body = "BEGIN RAISE EXCEPTION 'A job was judged.' USING ERRCODE = 'check_violation'; END"
        cursor.execute(
            "CREATE OR REPLACE FUNCTION scheduler_judge_job() RETURNS trigger LANGUAGE plpgsql AS $$ " + body + " $$"
        )
        try:
            yield
        finally:
            cursor.execute(function)


class TestAnInterruptedRun:
    def test_is_a_failure(self, session: Connection) -> None:
        rule("failing", threshold=2)
        nightly = job()
        _interrupt(nightly)
        alerts.settle_interrupted(session)
        assert incidents() == []

        _interrupt(nightly)
        alerts.settle_interrupted(session)
        alerts.settle_interrupted(session)

        (incident,) = incidents()
        assert (incident.measured, incident.text) == (2, "The node stopped.")

    def test_makes_up_a_row_with_other_failures(self, session: Connection, node: str) -> None:
        rule("failing", threshold=2)
        nightly = job()
        fail(session, node, nightly)
        _interrupt(nightly)

        alerts.settle_interrupted(session)

        assert len(incidents()) == 1

    def test_is_over_with_a_success(self, session: Connection, node: str) -> None:
        rule("failing")
        nightly = job()
        _interrupt(nightly)
        alerts.settle_interrupted(session)

        succeed(session, node, nightly)
        alerts.settle_interrupted(session)

        (incident,) = incidents()
        assert incident.closed_because == "recovered"
        alerts.settle_interrupted(session)
        assert len(incidents()) == 1

    def test_does_not_count_when_it_is_run_again(self, session: Connection) -> None:
        rule("failing")
        nightly = job()
        at = _interrupt(nightly)
        add_run(nightly, scheduled_at=at, attempt=2)

        alerts.settle_interrupted(session)

        assert incidents() == []


class TestASuccessWhoseNodeDied:
    """It is in the ledger, and the count of failures before it was not ended."""

    def test_does_not_let_failures_before_it_count(self, session: Connection, node: str) -> None:
        rule("failing", threshold=3)
        nightly = job()
        fail(session, node, nightly, 2)
        _succeed_and_die(nightly)

        fail(session, node, nightly)
        assert incidents() == []
        fail(session, node, nightly, 2)

        assert [incident.measured for incident in incidents()] == [3]

    def test_closes_the_incident_all_the_same(self, session: Connection, node: str) -> None:
        rule("failing")
        nightly = job()
        fail(session, node, nightly)
        _succeed_and_die(nightly)
        add_node(state="lost", stopped_at=database_now())

        alerts.settle_interrupted(session)

        assert [incident.closed_because for incident in incidents()] == ["recovered"]

    def test_parts_the_incident_before_it_from_the_one_after_it(self, session: Connection, node: str) -> None:
        rule("failing")
        nightly = job()
        fail(session, node, nightly)
        _succeed_and_die(nightly)
        fail(session, node, nightly)

        assert [incident.closed_because for incident in incidents()] == ["recovered", ""]


def _interrupt(of: Job) -> datetime:
    at = database_now()
    add_run(of, scheduled_at=at, state=RunState.INTERRUPTED, error="The node stopped.")
    return at


def _succeed_and_die(of: Job) -> None:
    add_run(of, scheduled_at=database_now(), state=RunState.SUCCEEDED)
