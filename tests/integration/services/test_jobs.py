from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from django.db import connection, connections
from django_apscheduler.models import DjangoJob

from scheduler.core.registry import registry
from scheduler.core.states import JobSource, JobState, RunKind, RunState
from scheduler.errors import (
    AlreadyPaused,
    InvalidArguments,
    InvalidName,
    InvalidPolicy,
    InvalidTrigger,
    JobExists,
    JobIsBroken,
    JobNotFound,
    NeverFires,
    NotPaused,
    SchedulerError,
    StaleVersion,
    UnknownTask,
)
from scheduler.models import Job, Run
from scheduler.services import jobs
from scheduler.store.connections import Connection
from scheduler.store.notifications import Channel, Listener
from tests.contract import tasks  # noqa: F401 - registers the tasks

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
HOURLY = {"type": "interval", "hours": 1, "start_at": "2026-11-23T00:00:00Z"}


def daily(hour: int, timezone: str = "UTC") -> dict[str, str]:
    return {"type": "cron", "expression": f"0 {hour} * * *", "timezone": timezone}


def at(hour: int, minute: int = 0, *, day: int = 23) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def make(**changes: Any) -> Job:
    given = {"id": "nightly", "task": "contract.first", "trigger": daily(1), "now": NOW, **changes}
    return jobs.create(**given)


def again(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def break_job(job: Job, *, interrupted_at: datetime | None) -> None:
    """As a node does."""
    DjangoJob.objects.filter(pk=job.pk).update(next_run_time=None)
    Job.objects.filter(pk=job.pk).update(
        state=JobState.BROKEN, state_reason="Its task is gone.", interrupted_at=interrupted_at, needs_inspection=False
    )


class TestCreate:
    def test_is_due_at_the_first_fire_time(self) -> None:
        job = again(make())

        assert job.next_run_time == at(1, day=24)
        assert (job.state, job.version, job.needs_inspection) == (JobState.ACTIVE, 1, False)

    def test_fills_in_what_was_not_said(self) -> None:
        job = again(jobs.create(task="contract.first", trigger=daily(1), now=NOW))

        assert (job.name, job.source, job.created_at) == ("contract.first", JobSource.CODE, NOW)
        assert (job.executor, job.coalesce, job.max_instances, job.misfire_grace_time) == ("default", True, 1, 300)
        assert len(job.pk) == 32

    def test_stores_what_was_said(self) -> None:
        job = again(
            make(
                task="contract.add",
                args=[1],
                kwargs={"b": 2},
                name="Sum",
                description="Adds.",
                actor="ada",
                source="api",
                executor="processpool",
                priority=5,
                coalesce=False,
                max_instances=3,
                misfire_grace_time=None,
                rerun_if_interrupted=True,
            )
        )

        assert (job.args, job.kwargs, job.name, job.description) == ([1], {"b": 2}, "Sum", "Adds.")
        assert (job.created_by, job.updated_by, job.source) == ("ada", "ada", JobSource.API)
        assert (job.executor, job.priority, job.coalesce, job.max_instances) == ("processpool", 5, False, 3)
        assert (job.misfire_grace_time, job.rerun_if_interrupted) == (None, True)

    def test_may_be_paused_from_the_start(self) -> None:
        job = again(make(paused=True))

        assert (job.state, job.state_reason, job.next_run_time) == (JobState.PAUSED, "Created paused.", None)

    def test_takes_a_date_that_is_over_from_code_but_not_from_a_person(self) -> None:
        over = {"type": "date", "run_at": "2026-11-23T14:59:00Z"}

        assert make(trigger=over).next_run_time == at(14, 59)
        with pytest.raises(NeverFires, match="is over"):
            make(id="other", trigger=over, source="admin")

    @pytest.mark.parametrize(
        ("changes", "error", "message"),
        [
            ({"task": "contract.frist"}, UnknownTask, "Did you mean “contract.first”?"),
            ({"task": "contract.add"}, InvalidArguments, "a is required by contract.add."),
            ({"kwargs": {"x": 1}}, InvalidArguments, "contract.first has no argument “x”. It takes: nothing."),
            ({"task": "contract.echo", "args": ["\x00"]}, InvalidArguments, "PostgreSQL cannot store"),
            ({"trigger": {"type": "interval"}}, InvalidTrigger, ""),
            ({"trigger": {"type": "cron", "expression": "0 0 31 2 *"}}, NeverFires, "31 February does not exist"),
            ({"max_instances": 0}, InvalidPolicy, "max_instances is “0”; it is a whole number from 1 to 10,000."),
            ({"misfire_grace_time": 0}, InvalidPolicy, "it is a number of seconds from 1 on, or empty for no limit."),
            ({"coalesce": "yes"}, InvalidPolicy, "coalesce is “yes”; it is true or false."),
            ({"executor": ""}, InvalidPolicy, "it is a name of at most 64 characters."),
            ({"executor": None}, InvalidPolicy, "it is a name of at most 64 characters."),
            ({"colour": "red"}, InvalidPolicy, "A job has no policy colour. There are: executor"),
            ({"id": "a\x00b"}, InvalidName, "an id has 1 to 255 characters that can be printed."),
            ({"id": ""}, InvalidName, "an id has 1 to 255 characters"),
            ({"name": "x" * 256}, InvalidName, "a name has 1 to 255 characters"),
        ],
    )
    def test_refuses_with_a_sentence(self, changes: dict[str, Any], error: type[SchedulerError], message: str) -> None:
        with pytest.raises(error) as raised:
            make(**changes)

        assert message in str(raised.value)
        assert not DjangoJob.objects.exists()

    def test_refuses_an_id_that_is_taken(self) -> None:
        make()

        with pytest.raises(JobExists, match="A job with the id “nightly” exists already"):
            make(task="contract.second")

        assert Job.objects.get().task == "contract.first"

    def test_refuses_the_id_of_a_row_that_nobody_adopted(self) -> None:
        DjangoJob.objects.create(id="nightly", job_state=b"old")

        with pytest.raises(JobExists):
            make()

        assert bytes(DjangoJob.objects.get().job_state) == b"old"


class TestReplaceExisting:
    def test_creates_what_is_not_there(self) -> None:
        assert make(replace_existing=True).version == 1

    def test_keeps_history_state_and_words(self) -> None:
        job = make(name="Nightly", description="Every night.")
        run = jobs.run_now(job=job)
        jobs.pause(job=job, actor="ada")

        replaced = make(replace_existing=True, task="contract.second")

        assert (replaced.task, replaced.name, replaced.description) == ("contract.second", "Nightly", "Every night.")
        assert (replaced.state, replaced.next_run_time) == (JobState.PAUSED, None)
        assert Run.objects.get(pk=run.pk).job_id == job.pk

    def test_keeps_the_next_fire_time_if_the_trigger_is_the_same(self) -> None:
        make(trigger={"type": "interval", "minutes": 30})

        replaced = make(
            trigger={"type": "interval", "minutes": 30}, replace_existing=True, now=NOW + timedelta(minutes=9)
        )

        assert replaced.next_run_time == at(15, 30)

    def test_keeps_the_phase_of_intervals_inside_a_combination(self) -> None:
        either = {"type": "or", "triggers": [{"type": "interval", "minutes": 30}, daily(1)]}
        make(trigger=either)

        replaced = make(trigger=either, replace_existing=True, now=NOW + timedelta(minutes=9))

        assert replaced.next_run_time == at(15, 30)

    def test_takes_over_a_row_that_nobody_adopted(self) -> None:
        DjangoJob.objects.create(id="nightly", job_state=b"old", next_run_time=NOW)

        make(replace_existing=True)

        job = Job.objects.get()
        assert job.next_run_time == at(1, day=24)
        assert bytes(job.job_state) != b"old"


class TestUpdate:
    def test_never_fires_at_once(self) -> None:
        job = make(now=at(0))
        DjangoJob.objects.update(next_run_time=at(1, day=24))

        changed = jobs.update(job=job, trigger=daily(2), now=NOW)

        assert again(changed).next_run_time == at(2, day=24)
        assert not Run.objects.exists()

    def test_leaves_when_it_fires_alone_if_only_words_change(self) -> None:
        job = make(trigger={"type": "interval", "minutes": 30})

        changed = again(jobs.update(job=job, description="New.", name="New", now=NOW + timedelta(minutes=20)))

        assert (changed.next_run_time, changed.trigger) == (job.next_run_time, job.trigger)
        assert (changed.description, changed.name, changed.version) == ("New.", "New", 2)

    def test_leaves_when_it_fires_alone_if_the_trigger_is_sent_back(self) -> None:
        job = make(trigger={"type": "interval", "minutes": 30})

        changed = jobs.update(job=job, trigger=job.trigger, now=NOW + timedelta(minutes=20))

        assert changed.next_run_time == job.next_run_time

    def test_takes_another_time_zone(self) -> None:
        job = make()

        changed = jobs.update(job=job, trigger=daily(1, "America/New_York"), now=NOW)

        assert changed.next_run_time == at(6, day=24)

    def test_queues_what_was_due_just_now(self) -> None:
        job = make(now=at(0), task="contract.add", args=[1])

        changed = jobs.update(job=job, trigger=daily(2), args=[2], now=at(1) + timedelta(milliseconds=500))

        (run,) = Run.objects.all()
        assert (run.scheduled_at, run.state, run.kind, run.args) == (at(1), RunState.QUEUED, RunKind.SCHEDULED, [1])
        assert changed.next_run_time == at(2)

    def test_enters_what_is_long_due_as_missed(self) -> None:
        job = make(trigger=HOURLY, now=at(0, 30))

        jobs.update(job=job, trigger=daily(2), now=at(15, 30))

        (run,) = Run.objects.all()
        assert (run.state, run.scheduled_at, run.covers_from, run.coalesced) == (RunState.MISSED, at(15), at(1), 14)

    def test_leaves_a_due_fire_time_to_the_node_if_the_trigger_stays(self) -> None:
        job = make(now=at(0))

        changed = jobs.update(job=job, max_instances=4, now=at(1, 1))

        assert changed.next_run_time == at(1)
        assert not Run.objects.exists()

    def test_keeps_a_paused_job_paused(self) -> None:
        job = jobs.pause(job=make(), now=NOW)

        changed = jobs.update(job=job, trigger=daily(2), now=NOW)

        assert (changed.state, changed.next_run_time, changed.trigger["expression"]) == (
            JobState.PAUSED,
            None,
            "0 2 * * *",
        )

    def test_puts_a_finished_job_back_with_another_trigger(self) -> None:
        job = make(trigger={"type": "date", "run_at": "2026-11-23T16:00:00Z"})
        DjangoJob.objects.update(next_run_time=None)
        Job.objects.update(state=JobState.FINISHED)

        changed = jobs.update(job=job, trigger=daily(2), now=at(17))

        assert (changed.state, changed.next_run_time) == (JobState.ACTIVE, at(2, day=24))

    def test_refuses_a_trigger_that_is_over(self) -> None:
        job = make()

        with pytest.raises(NeverFires, match="is over"):
            jobs.update(job=job, trigger={"type": "date", "run_at": "2026-11-22T16:00:00Z"}, now=NOW)

        assert again(job).version == 1

    def test_refuses_a_stale_version(self) -> None:
        job = make()
        jobs.update(job=job, name="Ada's", actor="ada", version=1)

        with pytest.raises(StaleVersion) as raised:
            jobs.update(job=job, name="Bob's", actor="bob", version=1)

        assert "was changed by ada meanwhile (version 2, yours was 1)" in str(raised.value)
        assert again(job).name == "Ada's"

    @pytest.mark.parametrize(
        ("changes", "error", "message"),
        [
            ({"task": "nobody"}, UnknownTask, "No task is registered as “nobody”."),
            ({"kwargs": {"x": 1}}, InvalidArguments, "has no argument “x”"),
            ({"trigger": {"type": "sometimes"}}, InvalidTrigger, "“sometimes” is no type."),
            ({"priority": 5000}, InvalidPolicy, "priority is “5000”"),
            ({"next_run_time": NOW}, InvalidPolicy, "A job has no next_run_time that could be changed."),
            ({"name": " "}, InvalidName, "a name has 1 to 255 characters"),
        ],
    )
    def test_changes_nothing_when_it_refuses(
        self, changes: dict[str, Any], error: type[SchedulerError], message: str
    ) -> None:
        job = make()

        with pytest.raises(error) as raised:
            jobs.update(job=job, **changes)

        assert message in str(raised.value)
        assert (again(job).version, again(job).trigger) == (1, job.trigger)

    def test_refuses_a_job_that_is_gone(self) -> None:
        job = make()
        jobs.remove(job=again(job))

        with pytest.raises(JobNotFound, match=r"The job “nightly” \(nightly\) was deleted meanwhile"):
            jobs.update(job=job, name="x")

    def test_may_describe_a_job_whose_task_this_process_does_not_know(self, monkeypatch: pytest.MonkeyPatch) -> None:
        job = make()
        monkeypatch.delitem(registry._tasks, "contract.first")

        changed = again(jobs.update(job=job, description="Runs elsewhere."))

        assert (changed.description, changed.state) == ("Runs elsewhere.", JobState.ACTIVE)
        assert bytes(changed.job_state) == bytes(job.job_state)


class TestUpdateOfABrokenJob:
    def test_goes_on_from_the_fire_time_that_it_owes(self) -> None:
        job = make()
        break_job(job, interrupted_at=at(1, day=24))

        healed = again(jobs.update(job=job, task="contract.second", now=at(9, day=24)))

        assert (healed.state, healed.state_reason) == (JobState.ACTIVE, "")
        assert (healed.next_run_time, healed.interrupted_at) == (at(1, day=24), None)

    def test_enters_what_it_owes_as_skipped_if_the_trigger_changes(self) -> None:
        job = make()
        break_job(job, interrupted_at=at(1, day=24))

        healed = jobs.update(job=job, trigger=daily(2), now=at(9, day=25))

        (run,) = Run.objects.all()
        assert (run.state, run.covers_from, run.scheduled_at, run.coalesced) == (
            RunState.SKIPPED,
            at(1, day=24),
            at(1, day=25),
            1,
        )
        assert run.reason == "The job was broken: Its task is gone."
        assert (healed.state, healed.next_run_time) == (JobState.ACTIVE, at(2, day=26))

    def test_stays_broken_with_a_new_reason_if_it_still_cannot_run(self) -> None:
        job = make()
        break_job(job, interrupted_at=at(1, day=24))
        Job.objects.update(task="nobody", version=2)

        changed = again(jobs.update(job=job, description="Look at this one.", now=at(9, day=24)))

        assert (changed.state, changed.next_run_time) == (JobState.BROKEN, None)
        assert "No task is registered as “nobody”." in changed.state_reason
        assert changed.interrupted_at == at(1, day=24)
        assert changed.description == "Look at this one."


class TestPause:
    def test_takes_the_job_out_of_the_schedule(self) -> None:
        job = again(jobs.pause(job=make(), actor="ada", reason="too noisy", now=NOW))

        assert (job.state, job.next_run_time, job.state_reason) == (JobState.PAUSED, None, "too noisy")
        assert (job.state_changed_by, job.state_changed_at, job.version) == ("ada", NOW, 2)

    def test_refuses_a_second_time(self) -> None:
        job = jobs.pause(job=make(), now=NOW)

        with pytest.raises(AlreadyPaused, match="“nightly” is paused already"):
            jobs.pause(job=job, now=NOW)

        assert again(job).version == 2

    def test_enters_what_was_due_just_now_as_skipped(self) -> None:
        jobs.pause(job=make(now=at(0)), now=at(1) + timedelta(milliseconds=500))

        (run,) = Run.objects.all()
        assert (run.state, run.scheduled_at) == (RunState.SKIPPED, at(1))
        assert run.reason == "The job was paused before this could start."

    def test_works_on_a_broken_job(self) -> None:
        job = make()
        break_job(job, interrupted_at=None)

        assert jobs.pause(job=job, now=NOW).state == JobState.PAUSED


class TestResume:
    def test_goes_on_in_phase(self) -> None:
        job = jobs.pause(job=make(trigger=HOURLY), now=NOW)

        resumed = again(jobs.resume(job=job, actor="ada", now=at(1, 55, day=24)))

        assert (resumed.state, resumed.next_run_time) == (JobState.ACTIVE, at(2, day=24))
        assert (resumed.state_reason, resumed.state_changed_by) == ("", "ada")
        assert not Run.objects.exists()

    def test_finishes_a_date_that_passed_meanwhile(self) -> None:
        job = make(trigger={"type": "date", "run_at": "2026-11-23T16:00:00Z"})
        jobs.pause(job=job, now=NOW)

        resumed = jobs.resume(job=job, now=at(17))

        assert (resumed.state, resumed.next_run_time) == (JobState.FINISHED, None)

    def test_refuses_a_job_that_is_not_paused(self) -> None:
        with pytest.raises(NotPaused, match="“nightly” is not paused; it is active"):
            jobs.resume(job=make())

    def test_refuses_a_job_that_cannot_run(self) -> None:
        job = jobs.pause(job=make(), now=NOW)
        Job.objects.update(task="nobody", version=3)

        with pytest.raises(UnknownTask):
            jobs.resume(job=job)

        assert again(job).state == JobState.PAUSED


class TestRunNow:
    def test_queues_one_run_and_leaves_the_schedule_alone(self) -> None:
        job = make(task="contract.add", args=[1])

        run = jobs.run_now(job=job, actor="ada", now=NOW)

        run.refresh_from_db()
        assert (run.kind, run.state, run.scheduled_at, run.node) == (RunKind.MANUAL, RunState.QUEUED, NOW, None)
        assert (run.job_key, run.job_name, run.args, run.requested_by) == ("nightly", "nightly", [1], "ada")
        assert again(job).next_run_time == job.next_run_time
        assert again(job).version == 1

    def test_takes_other_arguments_for_this_run(self) -> None:
        job = make(task="contract.add", args=[1])

        assert jobs.run_now(job=job, kwargs={"b": 5}).kwargs == {"b": 5}
        assert again(job).kwargs == {}

    def test_waits_while_max_instances_are_active(self) -> None:
        job = make()

        first, second = jobs.run_now(job=job), jobs.run_now(job=job)

        assert (first.held, second.held) == (False, True)

    def test_works_on_a_paused_job(self) -> None:
        job = jobs.pause(job=make(), now=NOW)

        assert jobs.run_now(job=job).state == RunState.QUEUED

    def test_refuses_a_broken_job_with_the_reason(self) -> None:
        job = make()
        break_job(job, interrupted_at=None)

        with pytest.raises(JobIsBroken, match=r"“nightly” cannot run: Its task is gone\."):
            jobs.run_now(job=job)

    def test_refuses_arguments_that_do_not_fit(self) -> None:
        with pytest.raises(InvalidArguments):
            jobs.run_now(job=make(), kwargs={"x": 1})

        assert not Run.objects.exists()


class TestRemove:
    @pytest.mark.parametrize("way", ["service", "object", "queryset", "parent", "sql"])
    def test_keeps_the_history(self, way: str) -> None:
        job = make(name="Nightly")
        run = jobs.run_now(job=job)

        if way == "service":
            jobs.remove(job=job, actor="ada")
        elif way == "object":
            again(job).delete()
        elif way == "queryset":
            Job.objects.filter(pk=job.pk).delete()
        elif way == "parent":
            DjangoJob.objects.all().delete()
        else:
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM scheduler_job; DELETE FROM django_apscheduler_djangojob")

        run.refresh_from_db()
        assert (run.job_id, run.job_key, run.job_name) == (None, "nightly", "Nightly")
        assert not DjangoJob.objects.exists()

    def test_refuses_a_job_that_is_gone(self) -> None:
        job = make()
        jobs.remove(job=again(job))

        with pytest.raises(JobNotFound):
            jobs.remove(job=job)


class TestGet:
    def test_finds_a_job_by_its_id(self) -> None:
        assert jobs.get(id=make().pk).task == "contract.first"

    def test_says_that_there_is_none(self) -> None:
        with pytest.raises(JobNotFound, match="There is no job with the id “foo”"):
            jobs.get(id="foo")


class TestWritingPastTheServices:
    def test_a_job_made_by_the_models_is_inspected(self) -> None:
        job = Job.objects.create(
            id="a", name="a", task="contract.first", trigger=daily(1), created_at=NOW, updated_at=NOW
        )

        assert again(job).needs_inspection is True

    @pytest.mark.parametrize(
        ("changes", "inspected", "rescheduled"),
        [
            ({"trigger": daily(2)}, True, True),
            ({"task": "contract.second"}, True, False),
            ({"args": [1]}, True, False),
            ({"kwargs": {"a": 1}}, True, False),
            ({"state": "paused"}, True, False),
            ({"state": "broken"}, False, False),
            ({"description": "x", "max_instances": 2}, False, False),
        ],
    )
    def test_what_matters_is_inspected(self, changes: dict[str, Any], inspected: bool, rescheduled: bool) -> None:
        job = make()

        Job.objects.filter(pk=job.pk).update(**changes)

        assert (again(job).needs_inspection, again(job).needs_rescheduling) == (inspected, rescheduled)

    def test_raw_sql_is_seen_as_well(self) -> None:
        job = make()

        with connection.cursor() as cursor:
            cursor.execute('UPDATE scheduler_job SET trigger = \'{"type": "interval", "minutes": 5}\'')

        assert (again(job).needs_inspection, again(job).needs_rescheduling) == (True, True)

    def test_a_service_does_not_hide_what_was_written_before(self) -> None:
        job = make()
        Job.objects.update(trigger=daily(2))

        changed = again(jobs.update(job=job, description="x"))

        assert (changed.needs_inspection, changed.needs_rescheduling) == (True, True)


@pytest.mark.django_db(transaction=True)
class TestWakeUps:
    @pytest.fixture
    def heard(self) -> Iterator[Callable[[], frozenset[Channel]]]:
        """Whether something was heard since it was asked last."""
        listener = Listener()
        other = Connection(purpose="test")
        listener.wait(timeout=0)

        def heard() -> frozenset[Channel]:
            # A notification is there when the commit has been answered: no need to wait for it.
            return listener.wait(timeout=0.05)

        yield heard
        other.close()
        listener.close()

    def test_every_change_of_a_definition_wakes_the_nodes(self, heard: Callable[[], frozenset[Channel]]) -> None:
        only_jobs = frozenset({Channel.JOBS})
        job = make()
        assert heard() == only_jobs
        jobs.update(job=job, trigger=daily(2))
        assert heard() == only_jobs
        jobs.pause(job=job)
        assert heard() == only_jobs
        jobs.resume(job=job)
        assert heard() == only_jobs
        Job.objects.update(priority=3)
        assert heard() == only_jobs
        with connection.cursor() as cursor:
            cursor.execute("UPDATE scheduler_job SET max_instances = 2")
        assert heard() == only_jobs
        jobs.remove(job=job)
        assert Channel.JOBS in heard()

    def test_a_manual_run_wakes_them_for_the_run(self, heard: Callable[[], frozenset[Channel]]) -> None:
        job = make()
        heard()

        jobs.run_now(job=job)

        assert heard() == {Channel.RUNS}

    def test_what_a_claim_writes_wakes_nobody(self, heard: Callable[[], frozenset[Channel]]) -> None:
        make()
        heard()

        DjangoJob.objects.update(next_run_time=NOW)

        assert heard() == frozenset()


@pytest.mark.django_db(transaction=True)
class TestTwoPeopleAtOnce:
    def together(self, *calls: Callable[[], Any]) -> list[Any]:
        """Call each in a thread and a session of its own, from one starting line; return results or errors."""
        line = threading.Barrier(len(calls))
        results: list[Any] = [None] * len(calls)

        def run(place: int, call: Callable[[], Any]) -> None:
            try:
                line.wait(timeout=10)
                results[place] = call()
            except (SchedulerError, psycopg2.Error) as error:
                results[place] = error
            finally:
                connections.close_all()

        threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        return results

    def test_one_edit_of_a_version_wins(self) -> None:
        job = make()

        results = self.together(
            lambda: jobs.update(job=job, name="Ada's", version=1), lambda: jobs.update(job=job, name="Bob's", version=1)
        )

        winners = [result.name for result in results if isinstance(result, Job)]
        assert len(winners) == 1
        assert [type(result) for result in results if not isinstance(result, Job)] == [StaleVersion]
        assert (again(job).name, again(job).version) == (winners[0], 2)

    def test_edits_of_different_things_both_stay(self) -> None:
        job = make()

        self.together(lambda: jobs.update(job=job, name="New"), lambda: jobs.update(job=job, priority=7))

        assert (again(job).name, again(job).priority, again(job).version) == ("New", 7, 3)

    def test_one_pause_wins(self) -> None:
        job = make()

        results = self.together(lambda: jobs.pause(job=job), lambda: jobs.pause(job=job))

        assert sorted(type(result).__name__ for result in results) == ["AlreadyPaused", "Job"]

    def test_two_processes_may_declare_one_job(self) -> None:
        results = self.together(lambda: make(replace_existing=True), lambda: make(replace_existing=True))

        assert [result.pk for result in results] == ["nightly", "nightly"]
        assert Job.objects.count() == 1
