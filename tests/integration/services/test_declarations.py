"""Declared jobs: created, changed where only the source changed, paused where it dropped them, never undone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from scheduler import conf, schedules
from scheduler.core.declarations import Declaration, DeclaredObject, OnConflict
from scheduler.core.states import JobState
from scheduler.models import Change, Job, Run
from scheduler.models import Declaration as Row
from scheduler.services import calendars, declarations, jobs
from scheduler.services.declarations import Action, Options, Synchronisation
from scheduler.services.declarations.collecting import Collected, LoadError, collect
from scheduler.services.queries import job_queries
from scheduler.services.queries.job_queries import JobFilter
from scheduler.testing import run_due
from tests.sample_app import django_tasks as sample

pytestmark = pytest.mark.django_db

CRON = {"type": "cron", "expression": "0 5 * * *", "timezone": "Europe/Berlin"}


CLOSED = DeclaredObject(
    kind="calendar", key="closed", definition={"rules": ["2035-01-01"]}, source="file", origin="here"
)


def declared(key: str = "nightly", **stated: Any) -> Declaration:
    how = {name: stated.pop(name) for name in ("previous_keys", "on_conflict", "source") if name in stated}
    definition = {"task": "sample.square", "trigger": CRON, "kwargs": {"number": 3}, **stated}
    return Declaration(key=key, definition=definition, **{"source": "code", "origin": "shop.tasks.nightly", **how})


def synchronise(*found: Declaration, errors: tuple[LoadError, ...] = (), **options: Any) -> Synchronisation:
    return declarations.apply(
        collected=Collected(declarations=found, errors=errors), options=Options(**options), actor="deploy"
    )


def planned(*found: Declaration, errors: tuple[LoadError, ...] = (), **options: Any) -> Synchronisation:
    return declarations.plan(collected=Collected(declarations=found, errors=errors), options=Options(**options))


def actions(found: Synchronisation) -> dict[str, Action]:
    return {step.key: step.action for step in found.steps}


class TestFirstSynchronisation:
    def test_creates_the_job_under_its_key(self) -> None:
        synchronise(declared(priority=5, tags=["night"]))

        job = Job.objects.get(pk="nightly")
        assert (job.task, job.kwargs, job.priority, job.tags) == ("sample.square", {"number": 3}, 5, ["night"])
        assert job.next_run_time is not None
        assert Change.objects.get(job_key="nightly").reason == "Declared."

    def test_a_plan_says_so_and_changes_nothing(self) -> None:
        plan = planned(declared())

        assert (actions(plan), plan.has_changes) == ({"nightly": Action.CREATE}, True)
        assert not Job.objects.filter(pk="nightly").exists()

    def test_leaves_a_job_of_the_same_id_alone(self) -> None:
        jobs.create(id="nightly", task="sample.nothing", trigger=CRON)

        done = synchronise(declared())

        assert actions(done) == {"nightly": Action.REFUSED}
        assert "--adopt" in done.steps[0].text
        assert Job.objects.get(pk="nightly").task == "sample.nothing"

    def test_adopts_a_job_of_the_same_id(self) -> None:
        jobs.create(id="nightly", task="sample.nothing", trigger=CRON)

        assert actions(synchronise(declared(), adopt=True)) == {"nightly": Action.ADOPT}
        assert Job.objects.get(pk="nightly").task == "sample.square"

    def test_adopts_a_job_that_does_the_same(self) -> None:
        jobs.create(id="5f1e", name="By hand", task="sample.square", kwargs={"number": 3}, trigger=CRON)

        synchronise(declared(), adopt=True)

        assert Row.objects.get(key="nightly").job_key == "5f1e"
        assert Job.objects.get().name == "By hand"

    def test_refuses_one_that_cannot_be_used_and_creates_the_others(self) -> None:
        done = synchronise(declared("bad", kwargs={"number": "x"}), declared("good"))

        assert actions(done) == {"bad": Action.REFUSED, "good": Action.CREATE}
        assert done.is_refused


class TestFurtherSynchronisations:
    @pytest.fixture(autouse=True)
    def _first(self) -> None:
        synchronise(declared())

    def test_a_repeated_one_changes_nothing(self) -> None:
        version = Job.objects.get().version

        assert actions(synchronise(declared())) == {"nightly": Action.UNCHANGED}
        assert Job.objects.get().version == version
        assert not planned(declared()).has_changes

    def test_writes_what_the_source_changed(self) -> None:
        synchronise(declared(kwargs={"number": 4}, priority=2))

        job = Job.objects.get()
        assert (job.kwargs, job.priority) == ({"number": 4}, 2)

    def test_keeps_a_persons_edit(self) -> None:
        jobs.update(job=Job.objects.get(), actor="ada", priority=9, max_retries=3)

        synchronise(declared(max_retries=1, description="Reports."))

        job = Job.objects.get()
        assert (job.priority, job.max_retries, job.description) == (9, 3, "Reports.")

    def test_shows_a_persons_edit_as_drift_until_it_is_taken_back(self) -> None:
        job = jobs.update(job=Job.objects.get(), actor="ada", kwargs={"number": 8})

        assert [(each.field, each.stored) for each in declarations.drift(job=job)] == [("kwargs.number", 8)]
        assert [each.field for each in synchronise(declared()).steps[0].drift] == ["kwargs.number"]
        assert Job.objects.get().kwargs == {"number": 8}

    def test_does_not_show_what_a_person_chose_to_keep_until_the_source_changes_it(self) -> None:
        job = jobs.update(job=Job.objects.get(), actor="ada", kwargs={"number": 8})
        declarations.keep(job=job)

        assert declarations.drift(job=job) == ()
        assert synchronise(declared()).steps[0].drift == ()
        again = synchronise(declared(kwargs={"number": 5}))
        assert (again.steps[0].conflicts, Job.objects.get().kwargs) == (("kwargs.number",), {"number": 8})
        assert [each.field for each in declarations.drift(job=job)] == ["kwargs.number"]

    def test_goes_back_to_the_declared_value_on_request(self) -> None:
        job = jobs.update(job=Job.objects.get(), actor="ada", kwargs={"number": 8}, priority=5)

        job = declarations.take(job=job, actor="ada")

        assert (job.kwargs, job.priority) == ({"number": 3}, 5)
        assert declarations.drift(job=job) == ()

    def test_goes_back_to_the_declared_value_of_what_was_kept_when_it_is_named_or_alone(self) -> None:
        job = jobs.update(job=Job.objects.get(), actor="ada", kwargs={"number": 8})
        declarations.keep(job=job)
        job = jobs.update(job=job, actor="ada", name="Mine")
        synchronise(declared(name="Theirs"))
        assert [each.field for each in declarations.kept(job=job)] == ["kwargs.number"]

        job = declarations.take(job=job, actor="ada")
        assert (job.name, job.kwargs) == ("Theirs", {"number": 8})
        job = declarations.take(job=job, actor="ada")
        assert (job.kwargs, declarations.kept(job=job)) == ({"number": 3}, ())

        job = jobs.update(job=job, actor="ada", kwargs={"number": 9})
        assert [each.field for each in declarations.drift(job=job)] == ["kwargs.number"], "it counts again"

    def test_takes_the_declared_value_where_the_declaration_asks_for_it(self) -> None:
        jobs.update(job=Job.objects.get(), actor="ada", kwargs={"number": 8})

        synchronise(declared(kwargs={"number": 5}, on_conflict=OnConflict.DECLARED))

        assert Job.objects.get().kwargs == {"number": 5}

    def test_never_undoes_a_pause(self) -> None:
        jobs.pause(job=Job.objects.get(), actor="ada", reason="Vacation")

        synchronise(declared(kwargs={"number": 4}))

        job = Job.objects.get()
        assert (job.state, job.kwargs) == (JobState.PAUSED, {"number": 4})

    def test_leaves_a_deleted_job_deleted(self) -> None:
        jobs.remove(job=Job.objects.get(), actor="ada")

        assert actions(synchronise(declared())) == {"nightly": Action.DELETED}
        assert not planned(declared()).has_changes
        assert not Job.objects.exists()

    def test_creates_a_deleted_job_again_on_request(self) -> None:
        jobs.remove(job=Job.objects.get(), actor="ada")

        synchronise(declared(), recreate=True)

        assert Job.objects.get().pk == "nightly"
        assert actions(synchronise(declared())) == {"nightly": Action.UNCHANGED}

    def test_keeps_the_job_of_a_renamed_declaration(self) -> None:
        done = synchronise(declared("reports", previous_keys=("nightly",)))

        assert (actions(done), done.steps[0].renames) == ({"reports": Action.UPDATE}, "nightly")
        assert (Job.objects.get().pk, Job.objects.get().state) == ("nightly", JobState.ACTIVE)
        assert actions(synchronise(declared("reports", previous_keys=("nightly",)))) == {"reports": Action.UNCHANGED}


class TestWhatDisappears:
    @pytest.fixture(autouse=True)
    def _first(self) -> None:
        synchronise(declared(), declared("hourly"))

    def test_is_paused_and_never_deleted(self) -> None:
        assert actions(synchronise(declared("hourly"))) == {"hourly": Action.UNCHANGED, "nightly": Action.PAUSE}

        job = Job.objects.get(pk="nightly")
        assert (job.state, job.state_reason) == (JobState.PAUSED, "No longer declared.")
        assert not planned(declared("hourly")).has_changes

    def test_is_resumed_when_it_is_declared_again(self) -> None:
        synchronise(declared("hourly"))

        done = synchronise(declared(), declared("hourly"))

        assert next(step for step in done.steps if step.key == "nightly").resumes
        assert Job.objects.get(pk="nightly").state == JobState.ACTIVE

    def test_stays_paused_when_a_person_paused_it_anew(self) -> None:
        synchronise(declared("hourly"))
        job = jobs.resume(job=Job.objects.get(pk="nightly"), actor="ada")
        jobs.pause(job=job, actor="ada")

        synchronise(declared(), declared("hourly"))

        assert Job.objects.get(pk="nightly").state == JobState.PAUSED

    def test_goes_on_as_an_ordinary_job_on_request(self) -> None:
        assert actions(synchronise(declared("hourly"), prune="keep"))["nightly"] == Action.RELEASE
        assert Job.objects.get(pk="nightly").state == JobState.ACTIVE

    def test_is_left_alone_while_a_source_cannot_be_read(self) -> None:
        error = LoadError(source="jobs.yaml", origin="jobs.yaml", text="It cannot be read.")

        done = synchronise(declared("hourly"), errors=(error,))

        assert (actions(done), done.is_refused) == ({"hourly": Action.UNCHANGED}, True)
        assert Job.objects.get(pk="nightly").state == JobState.ACTIVE


class TestTwoReleases:
    @pytest.fixture
    def release(self, settings: Any) -> Iterator[Any]:
        def deploy(name: str) -> None:
            settings.SCHEDULER = {**settings.SCHEDULER, "RELEASE": name}
            conf.get.cache_clear()

        yield deploy
        conf.get.cache_clear()

    def test_the_newer_one_is_not_undone_by_the_older_one(self, release: Any) -> None:
        release("1.9")
        synchronise(declared(), declared("old"))
        release("1.10")
        synchronise(declared(priority=5), declared("new"))
        release("1.9")

        done = synchronise(declared(), declared("old"))

        assert actions(done) == {"nightly": Action.NEWER, "old": Action.NEWER, "new": Action.NEWER}
        assert Job.objects.get(pk="nightly").priority == 5
        assert Job.objects.get(pk="new").state == JobState.ACTIVE

    def test_the_older_one_wins_when_it_is_rolled_back_to(self, release: Any) -> None:
        release("1.9")
        synchronise(declared())
        release("1.10")
        synchronise(declared(priority=5))
        release("1.9")

        synchronise(declared(), rollback=True)

        assert Job.objects.get().priority == 0


class TestSecrets:
    def test_are_remembered_as_digests_and_compared_by_value(self) -> None:
        task, kwargs = "governed.use_secret", {"token": "s3cr3t-token"}
        synchronise(declared(task=task, kwargs=kwargs))

        assert "s3cr3t" not in str(Row.objects.values_list("declared", flat=True).get())
        assert actions(synchronise(declared(task=task, kwargs=kwargs))) == {"nightly": Action.UNCHANGED}
        assert actions(synchronise(declared(task=task, kwargs={"token": "another"}))) == {"nightly": Action.UPDATE}


class TestSourcesOfDeclarations:
    @pytest.fixture(autouse=True)
    def _none_of_the_code(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(schedules, "_registered", [])

    @pytest.fixture
    def file(self, settings: Any, tmp_path: Path) -> Any:
        def write(text: str, name: str = "jobs.yaml") -> None:
            path = tmp_path / name
            path.write_text(text, encoding="utf-8")
            settings.SCHEDULER = {**settings.SCHEDULER, "DECLARATIONS": [path]}
            conf.get.cache_clear()

        return write

    def test_code_declares_a_job_above_its_task(self) -> None:
        from tests.sample_app.tasks import square

        schedules.schedule(
            "0 5 * * *", key="at-five", timezone="UTC", kwargs={"number": 1}, timeout=timedelta(minutes=2)
        )(square)

        found = collect()

        assert found.errors == ()
        assert found.declarations[0].definition == {
            "task": "sample.square",
            "trigger": {"type": "cron", "expression": "0 5 * * *", "timezone": "UTC"},
            "kwargs": {"number": 1},
            "timeout": 120.0,
        }

    def test_code_declares_a_job_above_a_task_of_django(self) -> None:
        """Also above its policies, which the job gets as far as the declaration states none of its own."""
        daily = schedules.schedule("0 5 * * *", timezone="Europe/Berlin", key="sum", kwargs={"first": 40, "second": 2})
        assert daily(sample.add) is sample.add
        schedules.schedule(timedelta(hours=1), max_retries=5)(sample.fail_twice)

        done = declarations.apply(actor="deploy")

        assert actions(done) == {"sum": Action.CREATE, sample.fail_twice.module_path: Action.CREATE}
        assert [step.origin for step in done.steps] == [sample.add.module_path, sample.fail_twice.module_path]
        stored = {job.pk: (job.task, job.max_retries) for job in Job.objects.all()}
        assert stored == {
            "sum": (sample.add.module_path, 0),
            sample.fail_twice.module_path: (sample.fail_twice.module_path, 5),
        }
        run = jobs.run_now(job="sum")
        run_due(check=True)
        run.refresh_from_db()
        assert run.result == 42
        assert not declarations.apply(actor="deploy").has_changes

    def test_two_declarations_of_one_key_are_an_error_of_both(self) -> None:
        schedules.register("sample.nothing", "0 5 * * *")
        schedules.register("sample.nothing", "0 6 * * *")

        found = collect()

        assert found.declarations == ()
        assert len(found.errors) == 2
        assert "declared 2 times" in found.errors[0].text

    def test_a_file_declares_jobs(self, file: Any) -> None:
        file(
            "jobs:\n  nightly:\n    task: sample.square\n    trigger: '0 5 * * *'\n"
            "    timezone: Europe/Berlin\n    kwargs: {number: 2}\n    max_retries: 3\n"
        )

        found = collect()

        assert found.errors == ()
        assert (found.declarations[0].key, found.declarations[0].origin) == ("nightly", "jobs.yaml:2")
        assert declarations.apply(collected=found).steps[0].action is Action.CREATE
        assert Job.objects.get(pk="nightly").max_retries == 3

    def test_toml_declares_the_same(self, file: Any) -> None:
        file('[jobs.nightly]\ntask = "sample.nothing"\ntrigger = "0 5 * * *"\n', name="jobs.toml")

        assert [each.key for each in collect().declarations] == ["nightly"]

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            (
                "jobs.yaml",
                "jobs:\n"
                "  noon: {task: sample.nothing, trigger: {type: calendar, days: 1, at: 12:30, start_at: 2035-01-05}}\n"
                "  once: {task: sample.nothing, trigger: {type: date, run_at: 2035-03-01T09:00:00+01:00}}\n"
                "calendars:\n"
                "  closed: {rules: [2035-01-01]}\n",
            ),
            (
                "jobs.toml",
                '[jobs.noon]\ntask="sample.nothing"\n'
                'trigger={type="calendar", days=1, at=12:30:00, start_at=2035-01-05}\n'
                '[jobs.once]\ntask="sample.nothing"\ntrigger={type="date", run_at=2035-03-01T09:00:00+01:00}\n'
                "[calendars.closed]\nrules = [2035-01-01]\n",
            ),
        ],
    )
    def test_dates_and_times_need_no_quotes(self, file: Any, name: str, text: str) -> None:
        """YAML 1.1 would read 12:30 as the number 750."""
        file(text, name=name)

        done = declarations.apply()

        assert done.errors == ()
        assert set(actions(done).values()) == {Action.CREATE}
        assert Job.objects.get(pk="noon").trigger["at"].startswith("12:30")
        assert Job.objects.get(pk="once").next_run_time == datetime(2035, 3, 1, 8, tzinfo=UTC)
        assert calendars.get(name="closed").rules == ["2035-01-01"]

    def test_a_section_may_be_empty(self, file: Any) -> None:
        file("jobs:\ncalendars:\n  closed: {rules: [2035-01-01]}\n")

        assert collect().errors == ()

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("jobs:\n  a:\n    task: sample.nothing\n    triger: '* * * * *'\n", "jobs.yaml, line 4: jobs.a.triger"),
            ("jobs:\n  a: {taks: x, trigger: y}\n", "jobs.a.taks: The key is unknown. Did you mean “task”?"),
            ("jobs:\n  a: {trigger: y}\n", "line 2: jobs.a.task: It is required."),
            ("job: {}\n", "line 1: job: The key is unknown. Did you mean “jobs”?"),
            ("jobs:\n  x/run: {task: sample.nothing, trigger: 0 5 * * *}\n", "x/run"),
            ("instances:\n  a: {template: x, zzz: 1}\n", "zzz: The key is unknown. Allowed: on_conflict, template"),
            (
                "calendars:\n  a: {rules: [], during: {}, rulez: 1}\n",
                "rulez: The key is unknown. Did you mean “rules”?",
            ),
            ("alert_rules:\n  a: {kind: failing, treshold: 1}\n", "Did you mean “threshold”?"),
            ("jobs:\n  a: [\n", "jobs.yaml, line 3 is not valid YAML"),
            ("jobs:\n  a:\n    task: sample.nothing\n    trigger: 7\n", "line 4"),
            ("jobs:\n  a:\n    task: x\n    trigger: {type: date}\n    timezone: UTC\n", "jobs.yaml:2"),
            ("- a\n", "jobs.yaml, line 1"),
            (
                "jobs:\n  a: {task: x, trigger: y}\n  a: {task: x, trigger: z}\n",
                "line 3: “a” is there twice, first in line 2",
            ),
            ('# first\n[jobs.a]\ntask = "x"\ntriger = "y"\n', "jobs.toml, line 4: jobs.a.triger"),
            ('[jobs.a]\ntask = "x"\ntrigger = [\n 1,\n 2]\n', "jobs.toml, line 3: jobs.a.trigger"),
            ('[jobs.a]\ntask = "x"\ntrigger = {type = "date"}\ntimezone = "UTC"\n', "jobs.toml:1"),
            ('[jobs.a]\ntask = "x\n', "jobs.toml is not valid TOML: Illegal character"),
            (
                '[templates.t.body]\ntask = "x"\ntrigger = "{day} 5 * * *"\n',
                "jobs.toml:1: templates.t: The body uses {day}",
            ),
        ],
    )
    def test_an_error_names_the_line(self, file: Any, text: str, expected: str) -> None:
        file(text, name="jobs.toml" if "jobs.toml" in expected else "jobs.yaml")

        found = collect()

        assert found.declarations == ()
        assert expected in found.errors[0].text

    def test_a_file_that_is_gone_is_an_error(self, file: Any, settings: Any) -> None:
        settings.SCHEDULER = {**settings.SCHEDULER, "DECLARATIONS": ["/nowhere/jobs.yaml"]}
        conf.get.cache_clear()

        assert "jobs.yaml cannot be read" in collect().errors[0].text


class TestJobsThatAreNoLongerDeclared:
    def test_are_found_and_deleted_at_once(self) -> None:
        synchronise(declared("one"), declared("two"), declared("three"), declared("four"))
        jobs.pause(job="four", actor="ada")
        synchronise(declared("one"))
        jobs.resume(job="two", actor="ada")

        found = job_queries.jobs(filter=JobFilter(undeclared=True))
        assert [job.pk for job in found] == ["three"], "others are declared, or somebody touched them"
        call_command("jobs", "delete", "--undeclared", stdout=io.StringIO(), stderr=io.StringIO())

        assert set(Job.objects.values_list("pk", flat=True)) == {"one", "two", "four"}
        assert actions(planned(declared("one"), declared("three")))["three"] is Action.DELETED


class TestATriggerThatCannotBeUsed:
    @pytest.mark.parametrize("trigger", [{"type": "cron", "expression": "99 * * * *"}, {"type": "no"}])
    def test_is_refused_by_the_plan_as_by_the_apply(self, trigger: dict[str, Any]) -> None:
        synchronise(declared("known"))
        wrong = (declared("new", trigger=trigger), declared("known", trigger=trigger))

        expected = {"new": Action.REFUSED, "known": Action.REFUSED}
        assert actions(planned(*wrong)) == expected
        assert actions(synchronise(*wrong)) == expected
        assert Job.objects.get().trigger["expression"] == "0 5 * * *"


class TestATaskThatDoesNotExist:
    def test_is_refused_with_the_one_that_was_meant(self) -> None:
        [step] = planned(declared("one", task="sample.nothin")).steps

        assert step.action is Action.REFUSED
        assert "Did you mean “sample.nothing”?" in step.text


class TestACalendarThatDoesNotExist:
    def test_is_refused_by_the_plan_as_by_the_apply(self) -> None:
        synchronise(declared("known"))
        calendars.create(name="closed", rules=["2035-01-01"])
        wrong = {"type": "cron", "expression": "0 5 * * *", "not_on": ["closd"]}
        given = (declared("new", trigger=wrong), declared("known", trigger=wrong))

        assert [step.action for step in planned(*given).steps] == [Action.REFUSED] * 2
        assert "Did you mean “closed”?" in planned(*given).steps[0].text
        assert [step.action for step in synchronise(*given).steps] == [Action.REFUSED] * 2

    def test_is_not_missed_when_it_is_declared_beside_the_job(self) -> None:
        trigger = {"type": "cron", "expression": "0 5 * * *", "not_on": ["closed"]}
        given = Collected(declarations=(declared("one", trigger=trigger),), errors=(), objects=(CLOSED,))

        assert [step.action for step in declarations.plan(collected=given).steps] == [Action.CREATE] * 2

    def test_of_a_person_who_deleted_it_is_missed(self) -> None:
        declarations.apply(collected=Collected(declarations=(), errors=(), objects=(CLOSED,)))
        calendars.remove(calendar=calendars.get(name="closed"))
        trigger = {"type": "cron", "expression": "0 5 * * *", "not_on": ["closed"]}
        given = Collected(declarations=(declared("one", trigger=trigger),), errors=(), objects=(CLOSED,))

        assert [step.action for step in declarations.plan(collected=given).steps] == [Action.DELETED, Action.REFUSED]


class TestFormerKeys:
    def test_a_key_that_is_declared_itself_is_not_renamed_away(self) -> None:
        synchronise(declared("a"))

        done = synchronise(declared("a"), declared("b", previous_keys=("a",)))

        assert actions(done) == {"a": Action.UNCHANGED, "b": Action.CREATE}
        assert set(Job.objects.values_list("pk", flat=True)) == {"a", "b"}

    def test_the_second_that_names_the_same_former_key_is_refused(self) -> None:
        synchronise(declared("a"))

        done = synchronise(declared("b", previous_keys=("a",)), declared("c", previous_keys=("a",)))

        assert actions(done) == {"b": Action.UPDATE, "c": Action.REFUSED}
        assert Row.objects.get().key == "b"

    def test_a_former_key_with_a_job_of_its_own_counts_as_dropped(self) -> None:
        synchronise(declared("a"), declared("b"))

        assert actions(planned(declared("b", previous_keys=("a",)))) == {"b": Action.UNCHANGED, "a": Action.PAUSE}
        synchronise(declared("b", previous_keys=("a",)))

        assert Job.objects.get(pk="a").state == JobState.PAUSED

    def test_a_renamed_and_deleted_job_is_created_again_under_the_new_key(self) -> None:
        synchronise(declared("a"))
        jobs.remove(job="a")

        synchronise(declared("b", previous_keys=("a",)), recreate=True)

        assert (Job.objects.get().pk, Row.objects.get().key) == ("b", "b")


class TestBatches:
    """Many changes are written in a few statements, and read as if each had been made by itself."""

    COUNT = 250

    @pytest.fixture
    def many(self) -> None:
        synchronise(*(declared(f"job-{number}") for number in range(self.COUNT)))

    def test_leave_one_row_of_history_for_each_job(self, many: None) -> None:
        last = Change.objects.latest("id").pk

        synchronise(*(declared(f"job-{number}", priority=number % 9 + 1) for number in range(self.COUNT)))

        found = Change.objects.filter(pk__gt=last)
        assert sorted(found.values_list("job_key", flat=True)) == sorted(f"job-{n}" for n in range(self.COUNT))
        assert set(found.values_list("action", "actor", "version")) == {("edited", "deploy", 2)}
        assert found.get(job_key="job-7").changes == {"priority": [0, 8]}

    def test_write_what_a_single_edit_writes(self) -> None:
        trigger = {"type": "cron", "expression": "7 4 * * *", "timezone": "Europe/Berlin"}
        changes = {"trigger": trigger, "tags": ["a", "b"], "timeout": 2.5, "description": "Ünïcode “”\\n"}
        synchronise(declared("key-1"), declared("key-2"))

        jobs.update(job="key-2", **changes)
        synchronise(declared("key-1", **changes), declared("key-2", **changes))

        own = {"djangojob_ptr_id", "id", "job_state", "name", "updated_at", "updated_by"}
        found = [
            {field.attname: getattr(Job.objects.get(pk=key), field.attname) for field in Job._meta.concrete_fields}
            for key in ("key-1", "key-2")
        ]
        one, two = ({name: value for name, value in row.items() if name not in own} for row in found)
        assert one == two
        state, other = (bytes(Job.objects.get(pk=key).job_state) for key in ("key-1", "key-2"))
        assert state.replace(b"key-1", b"key-2") == other

    def test_refuse_one_and_write_the_others(self, many: None) -> None:
        changed = [declared(f"job-{number}", priority=3) for number in range(self.COUNT - 1)]
        over = {"type": "date", "run_at": "2020-01-01T00:00:00+00:00"}

        done = synchronise(*changed, declared(f"job-{self.COUNT - 1}", trigger=over))

        assert actions(done)[f"job-{self.COUNT - 1}"] is Action.REFUSED
        assert Job.objects.filter(priority=3).count() == self.COUNT - 1
        assert Row.objects.get(key=f"job-{self.COUNT - 1}").declared["trigger"] == CRON

    def test_wake_the_nodes_once_for_each_transaction(self, many: None) -> None:
        changed = [declared(f"job-{number}", priority=3) for number in range(self.COUNT)]

        with CaptureQueriesContext(connection) as queries:
            synchronise(*changed)

        assert len([query for query in queries if query["sql"].startswith("UPDATE scheduler_job ")]) == 2
        assert len(queries) < 60

    def test_enter_fire_times_that_are_due_by_the_former_trigger(self) -> None:
        synchronise(declared())
        due = timezone.now() - timedelta(seconds=2)
        Job.objects.filter(pk="nightly").update(next_run_time=due)

        synchronise(declared(trigger={"type": "cron", "expression": "0 6 * * *", "timezone": "Europe/Berlin"}))

        assert Run.objects.get(job_key="nightly").scheduled_at == due


class TestKeptValues:
    def test_stay_kept_when_the_source_changes_another_field(self) -> None:
        synchronise(declared(priority=1))
        jobs.update(job="nightly", priority=7, actor="ada")
        declarations.keep(job=jobs.get(id="nightly"))

        synchronise(declared(priority=1, max_retries=2))

        assert declarations.drift(job=jobs.get(id="nightly")) == ()
        assert Row.objects.get().kept == ["priority"]


class TestTheListOfDrift:
    def test_has_jobs_that_a_person_changed(self) -> None:
        synchronise(declared("a", priority=1), declared("b"), declared("c"))
        jobs.create(task="sample.nothing", trigger=CRON, id="own")
        jobs.update(job="a", priority=5, actor="ada")
        jobs.update(job="own", priority=5, actor="ada")

        assert declarations.drifted_jobs() == ("a",)
        assert [job.pk for job in job_queries.jobs(filter=JobFilter(drift=True))] == ["a"]

    def test_has_them_after_another_synchronisation(self) -> None:
        synchronise(declared("a", priority=1))
        jobs.update(job="a", priority=5, actor="ada")

        synchronise(declared("a", priority=1, max_retries=1))

        assert declarations.drifted_jobs() == ("a",)

    def test_leaves_out_what_a_person_took_back_or_chose_to_keep(self) -> None:
        synchronise(declared("a", priority=1), declared("b", priority=1), declared("c", priority=1))
        for id in ("a", "b", "c"):
            jobs.update(job=id, priority=5, actor="ada")
        synchronise(declared("a", priority=1, tags=["x"]), declared("b", priority=1), declared("c", priority=1))

        jobs.update(job="a", priority=1, actor="ada")
        declarations.keep(job=jobs.get(id="b"))
        declarations.take(job=jobs.get(id="c"))

        assert declarations.drifted_jobs() == ()
