from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django_apscheduler.models import DjangoJob

from scheduler.core.states import JobSource, JobState, RunKind, RunState
from scheduler.core.tasks.registry import registry
from scheduler.errors import (
    AlreadyPaused,
    InvalidArguments,
    InvalidName,
    InvalidPause,
    InvalidPolicy,
    InvalidTrigger,
    JobExists,
    JobNotFound,
    NeverFires,
    SchedulerError,
    StaleVersion,
    UnknownTask,
)
from scheduler.models import Job, Run
from scheduler.services import jobs
from scheduler.services.jobs import pauses
from tests.integration.services.nightly import HOURLY, NOW, again, at, break_job, daily, make

pytestmark = pytest.mark.django_db


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
            ({"max_instances": 0}, InvalidPolicy, "max_instances is “0”. It must be a whole number from 1 to 10,000."),
            (
                {"misfire_grace_time": 0},
                InvalidPolicy,
                "It must be a number of seconds, 1 or more, or empty for no limit.",
            ),
            ({"coalesce": "yes"}, InvalidPolicy, "coalesce is “yes”. It must be true or false."),
            ({"executor": ""}, InvalidPolicy, "It must be a name of at most 64 characters."),
            ({"executor": None}, InvalidPolicy, "It must be a name of at most 64 characters."),
            ({"colour": "red"}, InvalidPolicy, "A job has no policy colour. There are: overlap"),
            ({"id": "a\x00b"}, InvalidName, "an id has 1 to 255 characters that can be printed."),
            ({"id": ""}, InvalidName, "an id has 1 to 255 characters"),
            ({"name": "x" * 256}, InvalidName, "a name has 1 to 255 characters"),
            ({"name": " " * 300 + "x"}, InvalidName, "a name has 1 to 255 characters"),
            ({"description": "a\x00b"}, InvalidName, "it is text without NUL characters"),
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

        assert "was changed by ada in the meantime (version 2, yours was 1)" in str(raised.value)
        assert again(job).name == "Ada's"

    @pytest.mark.parametrize(
        ("changes", "error", "message"),
        [
            ({"task": "nobody"}, UnknownTask, "No task is registered as “nobody”."),
            ({"kwargs": {"x": 1}}, InvalidArguments, "has no argument “x”"),
            ({"trigger": {"type": "sometimes"}}, InvalidTrigger, "“sometimes” is not a trigger type."),
            ({"priority": 5000}, InvalidPolicy, "priority is “5000”"),
            ({"next_run_time": NOW}, InvalidPolicy, "A job has no next_run_time that could be changed."),
            ({"name": " "}, InvalidName, "a name has 1 to 255 characters"),
            ({"description": None}, InvalidName, "it is text without NUL characters"),
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

        with pytest.raises(JobNotFound, match=r"The job “nightly” \(nightly\) was deleted in the meantime"):
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


class TestPauseUntil:
    def test_ends_by_an_instant_that_another_pause_replaces_and_resuming_clears(self) -> None:
        job = jobs.pause(job=make(), until=at(18), reason="Proxy banned.", actor="ada", now=NOW)
        assert (job.paused_until, again(job).paused_until) == (at(18), at(18))

        job = jobs.pause(job=job, until=at(20), reason="Still banned.", actor="bob", now=NOW)
        assert (job.paused_until, job.state_reason) == (at(20), "Still banned.")
        assert (job.state_changed_by, job.state_changed_at) == ("bob", NOW)
        assert jobs.pause(job=job, now=NOW).paused_until is None
        jobs.pause(job=job, until=at(20), now=NOW)

        assert again(jobs.resume(job=job, now=NOW)).paused_until is None

    def test_changes_nothing_if_it_is_paused_until_then(self) -> None:
        job = jobs.pause(job=make(), until=at(18), now=NOW)

        with pytest.raises(AlreadyPaused):
            jobs.pause(job=job, until=at(18), now=NOW)

    def test_refuses_an_end_that_is_over_and_names_it(self) -> None:
        job = make()

        with pytest.raises(InvalidPause, match=r"until is “2026-11-23T14:00:00\+00:00”, which is over"):
            jobs.pause(job=job, until=at(14), now=NOW)

        assert again(job).state == JobState.ACTIVE

    def test_stays_when_the_definition_changes(self) -> None:
        job = jobs.pause(job=make(), until=at(18), now=NOW)

        assert jobs.update(job=job, trigger=daily(2), now=NOW).paused_until == at(18)

    @pytest.mark.parametrize(
        ("trigger", "skipped"),
        [(HOURLY, 3), ({"type": "interval", "seconds": 1}, 10_800), (daily(1), 0)],
    )
    def test_counts_the_fire_times_it_costs(self, trigger: dict[str, Any], skipped: int) -> None:
        job = jobs.pause(job=make(trigger=trigger), until=at(18), now=NOW)

        assert pauses.fire_times_ahead(job=job, now=NOW) == skipped

    def test_cannot_say_what_it_costs_without_an_end(self) -> None:
        assert pauses.fire_times_ahead(job=jobs.pause(job=make(), now=NOW), now=NOW) is None
