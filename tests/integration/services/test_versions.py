"""The history of jobs: whoever changes one, by whatever way, leaves a row in the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from django_apscheduler.models import DjangoJob

from scheduler import conf
from scheduler.core import reasons
from scheduler.core.states import JobState
from scheduler.core.tasks.registry import registry
from scheduler.core.tasks.task import Task
from scheduler.engine.duties.inspection import break_jobs_without_a_task, inspect_jobs
from scheduler.models import Change, Job
from scheduler.services import jobs, retention
from scheduler.services.jobs import bulk
from scheduler.services.queries import job_history
from scheduler.services.queries.job_history import ChangeFilter
from scheduler.store.claiming import claims
from scheduler.store.jobs import definitions
from scheduler.store.jobstore import PostgresJobStore
from scheduler.store.sessions.connections import Connection, reason_columns
from tests.integration.services.nightly import NOW, at, daily, make, newest
from tests.ledger import add_node

SECRET = {"task": "governed.use_secret", "kwargs": {"token": "s3cr3t-value"}}


def said(change: Change) -> tuple[str, str, str, str]:
    return change.action, change.actor, change.via, change.reason


@pytest.fixture
def session(transactional_db: None) -> Iterator[Connection]:
    session = Connection(purpose="test")
    yield session
    session.close()


def make_other() -> Job:
    return make(id="b")


@pytest.mark.django_db
class TestWhatIsNoted:
    def test_says_who_when_through_what_why_and_what(self) -> None:
        job = make(actor="anna", via="admin")
        assert said(newest()) == ("created", "anna", "admin", "")

        jobs.update(job=job, actor="ben", via="api", reason="Less load.", trigger=daily(3), priority=4)

        change = newest()
        assert said(change) == ("edited", "ben", "api", "Less load.")
        assert (change.job_key, change.job_name, change.version) == ("nightly", "nightly", 2)
        assert change.changes == {"trigger": [daily(1), daily(3)], "priority": [0, 4]}
        assert (change.definition["trigger"], change.definition["state"]) == (daily(3), "active")
        assert job_history.brief(change=change) == "cron 0 1 * * * → cron 0 3 * * *, priority: 0 → 4"

    def test_leaves_nothing_of_what_was_rolled_back(self) -> None:
        job = make()

        with transaction.atomic():
            jobs.update(job=job, actor="ben", priority=4)
            assert newest().actor == "ben"
            transaction.set_rollback(True)

        assert [change.action for change in Change.objects.all()] == ["created"]
        Job.objects.update(priority=7)
        assert newest().via == "database"

    def test_tells_a_pause_and_its_end(self) -> None:
        job = make()

        jobs.pause(job=job, actor="anna", reason="Proxy banned.")
        assert said(newest()) == ("paused", "anna", "code", "Proxy banned.")
        assert newest().changes == {"state": ["active", "paused"]}
        jobs.resume(job=job, actor="ben", reason="New proxy.")
        assert said(newest()) == ("resumed", "ben", "code", "New proxy.")
        jobs.remove(job=job, actor="anna", via="admin", reason="Over.")
        assert said(newest()) == ("deleted", "anna", "admin", "Over.")
        assert newest().definition["trigger"] == daily(1)

    def test_leaves_out_an_edit_that_changed_nothing(self) -> None:
        job = make()

        jobs.update(job=job, trigger=daily(1), priority=0)

        assert Change.objects.count() == 1

    def test_notes_when_a_job_was_only_moved(self, store: PostgresJobStore) -> None:
        make()
        moved = store.lookup_job("nightly")
        assert moved is not None
        moved.next_run_time = at(20, day=28)

        store.update_job(moved)

        assert newest().changes == {"next_run_time": ["2026-11-24T01:00:00+00:00", "2026-11-28T20:00:00+00:00"]}

    def test_keeps_secrets_sealed_and_shows_that_one_changed(self) -> None:
        job = make(**SECRET)
        jobs.update(job=job, kwargs={"token": "an0ther-value"})

        change = newest()
        text = f"{change.changes} {change.definition} {Change.objects.order_by('id')[0].definition}"
        assert "s3cr3t" not in text
        assert "an0ther" not in text
        assert change.definition["kwargs"] == Job.objects.get().kwargs
        assert job_history.brief(change=change) == "token: ••• → •••"

    def test_stores_whatever_a_reason_holds(self) -> None:
        job = make()

        jobs.update(job=job, actor="anna", reason="half \ud800 of a pair \x00" + "x" * 5000, priority=1)

        assert newest().reason.startswith("half ? of a pair x")
        assert len(newest().reason) == 2000

    def test_notes_each_of_many_with_as_many_statements_as_without(
        self, django_assert_max_num_queries: Callable[..., Any]
    ) -> None:
        for number in range(10):
            make(id=f"job-{number}", now=None)
        last = newest().pk

        with django_assert_max_num_queries(10 * 8 + 2):
            bulk.change_many(
                action="pause",
                which=tuple(f"job-{number}" for number in range(10)),
                actor="anna",
                via="api",
                reason="Deploy.",
            )

        found = Change.objects.filter(pk__gt=last)
        assert {said(change) for change in found} == {("paused", "anna", "api", "Deploy.")}
        assert found.count() == 10

    def test_notes_each_of_many_that_one_statement_deletes(self, store: PostgresJobStore) -> None:
        make()
        make_other()

        store.remove_all_jobs()

        gone = Change.objects.filter(action="deleted")
        assert {(change.job_key, change.via) for change in gone} == {("nightly", "code"), ("b", "code")}
        make()
        Job.objects.update(priority=1)
        assert newest().via == "database"

    def test_is_never_rewritten(self) -> None:
        make()

        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
            Change.objects.update(actor="somebody else")

    def test_covers_every_column_that_somebody_could_change(self) -> None:
        """A new column of the definition has to be added to the trigger, or else to what is noted elsewhere."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT event_object_column FROM information_schema.triggered_update_columns"
                " WHERE trigger_name = 'scheduler_note_change'"
            )
            watched = {name for (name,) in cursor.fetchall()}
        make()
        columns = {field.column for field in Job._meta.local_fields}
        noted_elsewhere = {
            *("djangojob_ptr_id", "state_changed_at", "state_changed_by", "created_at", "created_by", "updated_at"),
            *("updated_by", "needs_inspection", "needs_rescheduling", "interrupted_at", "consecutive_failures"),
            *("reason_code", "reason_params"),
        }

        assert columns - watched == noted_elsewhere
        assert set(newest().definition) == watched - {"version", "state_reason"}


@pytest.mark.django_db
class TestPastTheServices:
    def test_notes_the_role_of_who_writes_sql(self) -> None:
        make()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE scheduler_job SET max_instances = 3")
            cursor.execute("SELECT session_user")
            role = cursor.fetchone()[0]

        assert said(newest()) == ("edited", role, "database", "")
        assert newest().changes == {"max_instances": [1, 3]}

    def test_notes_models_and_querysets(self) -> None:
        job = make()
        Job.objects.filter(pk=job.pk).update(state="paused", reason_text="By hand.")
        assert (newest().action, newest().via, newest().reason) == ("paused", "database", "By hand.")

        job.refresh_from_db()
        job.delete()
        assert (newest().action, newest().via) == ("deleted", "database")

    def test_does_not_lend_the_name_of_who_wrote_before(self) -> None:
        job, other = make(), make_other()
        with transaction.atomic():
            jobs.update(job=job, actor="anna", priority=1)
            Job.objects.filter(pk=other.pk).update(priority=1)

        assert newest().via == "database"

    def test_leaves_the_count_of_failures_alone(self) -> None:
        make()
        last = newest().pk

        Job.objects.update(consecutive_failures=3, needs_inspection=True)
        DjangoJob.objects.update(next_run_time=NOW)

        assert newest().pk == last


class TestNodes:
    def test_leave_no_row_when_they_claim_even_if_a_job_ends_with_it(self, session: Connection) -> None:
        make(trigger={"type": "date", "run_at": at(16).isoformat()})
        last = newest().pk

        claims.claim_due(
            session,
            node=add_node(),
            tasks={"contract.first"},
            limit=10,
            room={"default": 10},
            catch_up_limit=10,
            now=at(17),
        )

        assert Job.objects.get().state == JobState.FINISHED
        assert newest().pk == last

    def test_note_that_a_job_broke_and_healed(self, session: Connection) -> None:
        make()
        Job.objects.update(task="contract.later")
        inspect_jobs(session, settings=conf.get(), broken=False)
        assert (newest().action, newest().actor, newest().via) == ("broken", "", "scheduler")
        assert "contract.later" in newest().reason
        broken = newest().pk
        inspect_jobs(session, settings=conf.get(), broken=True)
        assert newest().pk == broken

        registry.add(Task(name="contract.later", function=registry.get("contract.first").function))
        try:
            inspect_jobs(session, settings=conf.get(), broken=True)
        finally:
            registry.remove("contract.later")

        assert (newest().action, newest().via) == ("healed", "scheduler")
        assert newest().changes == {"state": ["broken", "active"]}

    def test_note_jobs_whose_task_nobody_has(self, session: Connection) -> None:
        make()
        Job.objects.update(task="contract.later", needs_inspection=False)
        assert break_jobs_without_a_task(session) == 1

        assert (newest().action, newest().via) == ("broken", "scheduler")

    def test_note_what_was_broken_without_a_transaction(self, session: Connection) -> None:
        make()

        definitions.break_jobs(
            session, problems=[("nightly", reasons.TRIGGER_UNCOMPUTABLE(type="OSError", error="full"))]
        )

        assert said(newest()) == ("broken", "", "scheduler", "Its trigger cannot be computed (OSError: full).")
        assert (newest().reason_code, newest().reason_params) == (
            "trigger_uncomputable",
            {"type": "OSError", "error": "full"},
        )

    def test_note_that_they_paused_a_failing_job(self, session: Connection) -> None:
        make(pause_after_failures=1)
        columns = reason_columns([reasons.FAILED_IN_A_ROW(number=2)])
        session.execute("pause_failing_jobs", jobs="{nightly}", **columns, now=None)

        assert said(newest()) == ("paused", "", "scheduler", "Failed 2 times in a row.")


@pytest.mark.django_db
class TestPage:
    def test_goes_both_ways(self) -> None:
        job = make()
        jobs.update(job=jobs.update(job=job, priority=1), priority=2)

        first = job_history.page(filter=ChangeFilter(), limit=2)
        second = job_history.page(filter=ChangeFilter(), limit=2, cursor=first.next or "")
        back = job_history.page(filter=ChangeFilter(), limit=2, cursor=second.previous or "")

        shown = [[change.version for change in page.rows] for page in (first, second, back)]
        assert shown == [[3, 2], [1], [3, 2]]
        assert (first.previous, second.next) == (None, None)

    def test_filters(self) -> None:
        job = make(actor="anna")
        jobs.pause(job=job, actor="ben", via="api")
        make_other()

        def found(**wanted: Any) -> list[tuple[str, str]]:
            return [(change.job_key, change.action) for change in job_history.changes(filter=ChangeFilter(**wanted))]

        assert found(job="nightly") == [("nightly", "paused"), ("nightly", "created")]
        assert found(actor="ben") == [("nightly", "paused")]
        assert found(actions=("created",)) == [("b", "created"), ("nightly", "created")]
        assert found(via=("api",)) == [("nightly", "paused")]
        assert found(since=timezone.now() + timedelta(days=1)) == []
        assert found(until=timezone.now() - timedelta(days=1)) == []


@pytest.mark.django_db
class TestCleanUp:
    def test_keeps_the_newest_changes_of_jobs_that_exist(self) -> None:
        job = make()
        for number in range(1, 30):
            job = jobs.update(job=job, priority=number)
        gone = make_other()
        jobs.remove(job=gone)

        def clean(days: int) -> int:
            return retention.clean_up(now=timezone.now() + timedelta(days=days), older_than_days=30).changes

        assert clean(29) == 0
        assert clean(31) == 10 + 2
        left = list(Change.objects.order_by("-id"))
        assert [change.version for change in left] == list(range(30, 10, -1))
        assert {change.job_key for change in left} == {"nightly"}
