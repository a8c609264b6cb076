from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from scheduler import conf
from scheduler.core.states import JobState
from scheduler.core.tasks.registry import registry
from scheduler.core.tasks.task import Task
from scheduler.engine.duties import inspection
from scheduler.engine.duties.inspection import break_jobs_without_a_task, inspect_jobs
from scheduler.models import Job
from scheduler.store.sessions.connections import Connection
from tests.ledger import HOUR, MINUTE, NOON, add_job, add_node

pytestmark = pytest.mark.django_db(transaction=True)


def inspect(session: Connection, *, broken: bool = False) -> int:
    return inspect_jobs(session, settings=conf.get(), broken=broken).healed


def add_raw(**changes: Any) -> Job:
    """Write a job as raw SQL would: nobody has checked it or said when it is due."""
    values = {"task": "sample.nothing", "trigger": {"type": "interval", "hours": 1}, "needs_inspection": True}
    return add_job(due_at=None, **{**values, **changes})


class TestInspection:
    def test_puts_a_sound_job_into_the_schedule(self, session: Connection) -> None:
        job = add_raw()
        before = timezone.now()

        assert inspect(session) == 1

        job.refresh_from_db()
        assert (job.state, job.needs_inspection) == (JobState.ACTIVE, False)
        assert job.next_run_time is not None
        assert before + HOUR <= job.next_run_time <= timezone.now() + HOUR
        assert datetime.fromisoformat(job.trigger["start_at"]) == job.next_run_time
        assert inspect(session) == 0

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"task": "sample.vanished"}, "No task is registered as “sample.vanished”"),
            ({"kwargs": {"surplus": 1}}, "no argument “surplus”"),
            ({"args": "text"}, "It must be a list"),
            ({"kwargs": [1]}, "It must be an object"),
            ({"trigger": {"type": "cron", "expression": "no"}}, "no"),
            ({"trigger": {"type": "moon"}}, "moon"),
            ({"trigger": {}}, "type"),
            ({"trigger": 5}, ""),
            ({"trigger": []}, ""),
        ],
    )
    def test_breaks_a_job_that_cannot_run_and_says_why(
        self, session: Connection, changes: dict[str, Any], reason: str
    ) -> None:
        job = add_raw(**changes)
        sound = add_raw(id="sound")

        assert inspect(session) == 1

        job.refresh_from_db()
        sound.refresh_from_db()
        assert (job.state, job.next_run_time) == (JobState.BROKEN, None)
        assert reason in job.state_reason
        assert job.state_reason
        assert sound.state == JobState.ACTIVE

    def test_heals_a_job_whose_cause_is_gone_and_owes_what_passed_since(self, session: Connection) -> None:
        job = add_job(task="sample.later", needs_inspection=True)
        inspect(session)
        assert Job.objects.get().state == JobState.BROKEN

        assert inspect(session) == 0
        registry.add(Task(name="sample.later", function=registry.get("sample.nothing").function))
        try:
            assert inspect(session) == 0
            assert inspect(session, broken=True) == 1
        finally:
            registry.remove("sample.later")

        job.refresh_from_db()
        assert (job.state, job.state_reason) == (JobState.ACTIVE, "")
        assert (job.next_run_time, job.interrupted_at) == (NOON, None)

    def test_moves_a_job_whose_trigger_was_changed_by_an_update_of_rows(self, session: Connection) -> None:
        add_raw()
        inspect(session)
        before = timezone.now()

        Job.objects.update(trigger={"type": "interval", "minutes": 5})

        assert inspect(session) == 1
        job = Job.objects.get()
        assert job.next_run_time is not None
        assert before + 5 * MINUTE <= job.next_run_time <= timezone.now() + 5 * MINUTE

    def test_leaves_when_a_job_is_due_alone_if_only_its_arguments_changed(self, session: Connection) -> None:
        add_raw(task="sample.give", kwargs={"value": 1})
        inspect(session)
        due_at = Job.objects.get().next_run_time

        Job.objects.update(kwargs={"value": 2})

        assert inspect(session) == 1
        assert Job.objects.get().next_run_time == due_at

    def test_takes_a_job_that_was_paused_by_an_update_of_rows_out_of_the_schedule(self, session: Connection) -> None:
        add_raw()
        inspect(session)

        Job.objects.update(state=JobState.PAUSED)
        inspect(session)
        paused = Job.objects.get()
        Job.objects.update(state=JobState.ACTIVE)
        inspect(session)
        resumed = Job.objects.get()

        assert (paused.state, paused.next_run_time) == (JobState.PAUSED, None)
        assert resumed.state == JobState.ACTIVE
        assert resumed.next_run_time is not None
        assert resumed.next_run_time > timezone.now()

    def test_is_done_for_any_number_of_jobs(self, session: Connection) -> None:
        for number in range(205):
            add_raw(id=f"job-{number:03}", **({"kwargs": {"surplus": 1}} if number % 100 == 0 else {}))

        after, healed = "", 0
        while True:
            done = inspect_jobs(session, settings=conf.get(), broken=False, after=after)
            healed, after = healed + done.healed, done.after
            if not after:
                break

        assert healed == 202
        assert Job.objects.broken().count() == 3
        assert not Job.objects.filter(needs_inspection=True).exists()

    def test_breaks_only_the_job_whose_definition_nobody_can_read(self, session: Connection) -> None:
        add_raw(id="bottomless", task="sample.give")
        add_raw(id="sound")
        nested = "[" * 3000 + "]" * 3000
        with connection.cursor() as cursor:
            cursor.execute("UPDATE scheduler_job SET args = %s WHERE djangojob_ptr_id = 'bottomless'", [nested])

        assert inspect(session) == 1

        bottomless = Job.objects.defer("args", "kwargs", "trigger").get(pk="bottomless")
        state, reason = bottomless.state, bottomless.state_reason
        assert state == JobState.BROKEN
        # Up to Python 3.11 it is the reading that fails, later versions read it and fail to write it again.
        assert "cannot be read (RecursionError" in reason or "Maximum serialization depth exceeded" in reason

    def test_leaves_a_job_to_the_nodes_that_know_its_task(self, session: Connection) -> None:
        add_node(tasks=["newer.task"])
        job = add_raw(task="newer.task")

        assert inspect(session) == 0

        job.refresh_from_db()
        assert (job.state, job.needs_inspection) == (JobState.ACTIVE, True)


class TestJobsWithoutATask:
    def test_are_broken_unless_a_live_node_knows_the_task(self, session: Connection) -> None:
        add_node(tasks=["elsewhere.task"])
        add_node(tasks=["gone.task"], state="stopped")
        add_job("known", task="sample.nothing")
        add_job("elsewhere", task="elsewhere.task")
        add_job("gone", task="gone.task")

        assert break_jobs_without_a_task(session) == 1

        gone = Job.objects.get(state=JobState.BROKEN)
        assert (gone.pk, gone.next_run_time, gone.interrupted_at) == ("gone", None, NOON)
        assert "gone.task" in gone.state_reason

    def test_are_broken_some_at_a_time(self, session: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(inspection, "_BATCH", 2)
        for number in range(5):
            add_job(f"gone-{number}", task="gone.task")

        assert break_jobs_without_a_task(session) == 5
        assert Job.objects.filter(state=JobState.BROKEN).count() == 5
