"""Templates: versions, instances, upgrades, rows that synchronise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from scheduler.core.states import JobState
from scheduler.errors import InvalidParameters, InvalidTemplate, JobNotFound, SchedulerError
from scheduler.models import Change, Job, TemplateVersion
from scheduler.models import Declaration as Row
from scheduler.services import jobs, templates
from scheduler.services.declarations import Action, Synchronisation
from scheduler.services.templates import instances, providers, upgrades

pytestmark = pytest.mark.django_db

PARAMETERS = [
    {"name": "number", "type": "integer"},
    {"name": "minute", "type": "integer", "default": 0, "minimum": 0, "maximum": 59},
]
BODY = {
    "task": "sample.square",
    "trigger": "{minute} 5 * * *",
    "timezone": "Europe/Berlin",
    "kwargs": {"number": "{number}"},
    "name": "Square of {number}",
    "tags": ["squares"],
}


@pytest.fixture
def version() -> TemplateVersion:
    return templates.create(slug="squares", title="Squares", parameters=PARAMETERS, body=BODY, actor="ada")


def second(version: TemplateVersion, **body: Any) -> TemplateVersion:
    return templates.add_version(template=version.template, parameters=PARAMETERS, body={**BODY, **body})


def actions(found: Synchronisation) -> dict[str, Action]:
    return {step.key: step.action for step in found.steps}


class TestVersions:
    def test_count_up_and_never_change(self, version: TemplateVersion) -> None:
        later = second(version, priority=5)

        assert (version.number, later.number) == (1, 2)
        version.refresh_from_db()
        assert "priority" not in version.body

    def test_the_same_again_is_no_new_version(self, version: TemplateVersion) -> None:
        assert second(version) == version

    def test_a_slug_is_there_once(self, version: TemplateVersion) -> None:
        with pytest.raises(InvalidTemplate, match="exists already"):
            templates.create(slug="squares", title="Again", body=BODY, parameters=PARAMETERS)

    def test_a_template_with_instances_is_not_deleted(self, version: TemplateVersion) -> None:
        instances.create(version=version, key="three", values={"number": 3})

        with pytest.raises(InvalidTemplate, match="has an instance"):
            templates.remove(template=version.template)


class TestInstances:
    def test_are_ordinary_jobs(self, version: TemplateVersion) -> None:
        job = instances.create(version=version, key="three", values={"number": 3, "minute": 30}, actor="ada")

        assert (job.pk, job.name, job.kwargs, job.tags) == ("three", "Square of 3", {"number": 3}, ["squares"])
        assert job.trigger["expression"] == "30 5 * * *"
        assert job.next_run_time is not None
        assert Change.objects.get(job_key="three").reason == "Template squares, version 1."

    def test_values_that_do_not_fit_create_nothing(self, version: TemplateVersion) -> None:
        with pytest.raises(InvalidParameters, match="number"):
            instances.create(version=version, key="three", values={"number": "x"})
        with pytest.raises(SchedulerError, match="minute"):
            instances.create(version=version, key="three", values={"number": 3, "minute": 60})

        assert not Job.objects.exists()

    def test_an_id_that_is_taken_is_refused(self, version: TemplateVersion) -> None:
        jobs.create(id="three", task="sample.nothing", trigger={"type": "interval", "hours": 1})

        with pytest.raises(SchedulerError, match="exists already"):
            instances.create(version=version, key="three", values={"number": 3})

    def test_other_values_change_the_job(self, version: TemplateVersion) -> None:
        job = instances.create(version=version, key="three", values={"number": 3})

        job = instances.change(job=job, values={"number": 4})

        assert (job.kwargs, job.name) == ({"number": 4}, "Square of 4")

    def test_a_detached_one_is_left_alone(self, version: TemplateVersion) -> None:
        job = instances.create(version=version, key="three", values={"number": 3})
        instances.detach(job=job)

        upgrades.apply(version=second(version, priority=5))

        assert Job.objects.get().priority == 0
        with pytest.raises(JobNotFound):
            instances.detach(job=job)


class TestUpgrades:
    @pytest.fixture(autouse=True)
    def _two(self, version: TemplateVersion) -> None:
        instances.create(version=version, key="three", values={"number": 3})
        instances.create(version=version, key="four", values={"number": 4})

    def test_change_each_instance_after_a_plan(self, version: TemplateVersion) -> None:
        later = second(version, priority=5, trigger="{minute} 6 * * *")

        plan = upgrades.plan(version=later)
        assert actions(plan) == {"three": Action.UPDATE, "four": Action.UPDATE}
        assert set(plan.steps[0].write) == {"priority", "trigger"}
        assert Job.objects.get(pk="three").priority == 0

        upgrades.apply(version=later, actor="ada")
        assert set(Job.objects.values_list("priority", "trigger__expression")) == {(5, "0 6 * * *")}
        assert actions(upgrades.apply(version=later)) == {"three": Action.UNCHANGED, "four": Action.UNCHANGED}

    def test_keep_what_a_person_changed(self, version: TemplateVersion) -> None:
        jobs.update(job=Job.objects.get(pk="three"), actor="ada", priority=9)
        later = second(version, priority=5)

        done = upgrades.apply(version=later)

        assert dict(Job.objects.values_list("pk", "priority")) == {"three": 9, "four": 5}
        assert next(step for step in done.steps if step.key == "three").conflicts == ("priority",)

    def test_overwrite_what_a_person_changed_on_request(self, version: TemplateVersion) -> None:
        jobs.update(job=Job.objects.get(pk="three"), actor="ada", priority=9, name="Mine")

        upgrades.apply(version=second(version, priority=5), overwrite=True)

        assert Job.objects.filter(priority=5, name="Square of 3").exists()

    def test_go_back_the_same_way(self, version: TemplateVersion) -> None:
        upgrades.apply(version=second(version, priority=5))

        upgrades.apply(version=version)

        assert set(Job.objects.values_list("priority", flat=True)) == {0}
        assert set(Row.objects.values_list("template_version__number", flat=True)) == {1}

    def test_refuse_an_instance_whose_values_do_not_fit_and_change_the_others(self, version: TemplateVersion) -> None:
        strict = [{**PARAMETERS[0], "maximum": 3}, PARAMETERS[1]]
        later = templates.add_version(template=version.template, parameters=strict, body={**BODY, "priority": 5})

        assert actions(upgrades.apply(version=later)) == {"three": Action.UPDATE, "four": Action.REFUSED}
        assert dict(Job.objects.values_list("pk", "priority")) == {"three": 5, "four": 0}

    def test_never_touch_a_job_that_is_declared_elsewhere(self, version: TemplateVersion) -> None:
        jobs.create(id="other", task="sample.square", kwargs={"number": 1}, trigger={"type": "interval", "hours": 1})

        upgrades.apply(version=second(version, priority=5))

        assert Job.objects.get(pk="other").priority == 0


class TestSecrets:
    def test_are_sealed_masked_and_kept_through_upgrades(self) -> None:
        body = {"task": "governed.use_secret", "trigger": "0 5 * * *", "kwargs": {"token": "{token}"}}
        parameters = [{"name": "token", "type": "secret"}]
        version = templates.create(slug="bank", title="Bank", parameters=parameters, body=body)

        job = instances.create(version=version, key="pay", values={"token": "s3cr3t-of-the-bank"})

        row = Row.objects.get()
        assert "s3cr3t" not in str((row.parameters, row.declared, job.kwargs))
        assert instances.stored_masked(row) == {"token": "•••"}
        later = templates.add_version(template=version.template, parameters=parameters, body={**body, "priority": 1})
        assert actions(upgrades.apply(version=later)) == {"pay": Action.UPDATE}
        assert actions(upgrades.apply(version=later)) == {"pay": Action.UNCHANGED}


class TestRows:
    def given(self, *numbers: int) -> list[tuple[str, Mapping[str, Any]]]:
        return [(f"square-{number}", {"number": number}) for number in numbers]

    def test_create_change_and_pause_what_vanished(self, version: TemplateVersion) -> None:
        instances.rows_apply(version=version, rows="table", given=self.given(1, 2))

        done = instances.rows_apply(version=version, rows="table", given=self.given(2, 3))

        assert actions(done) == {
            "square-1": Action.PAUSE,
            "square-2": Action.UNCHANGED,
            "square-3": Action.CREATE,
        }
        assert Job.objects.get(pk="square-1").state == JobState.PAUSED

    def test_leave_other_sets_and_single_instances_alone(self, version: TemplateVersion) -> None:
        instances.create(version=version, key="mine", values={"number": 7})
        instances.rows_apply(version=version, rows="one", given=self.given(1))

        done = instances.rows_apply(version=version, rows="two", given=self.given(2))

        assert actions(done) == {"square-2": Action.CREATE}
        assert not Job.objects.filter(state=JobState.PAUSED).exists()

    def test_a_key_of_another_owner_is_refused(self, version: TemplateVersion) -> None:
        instances.rows_apply(version=version, rows="one", given=self.given(1))

        done = instances.rows_apply(version=version, rows="two", given=self.given(1))

        assert actions(done) == {"square-1": Action.REFUSED}

    def test_one_bad_row_pauses_no_other(self, version: TemplateVersion) -> None:
        instances.rows_apply(version=version, rows="table", given=self.given(1, 2))

        done = instances.rows_apply(version=version, rows="table", given=[("square-2", {"number": "x"})])

        assert (done.is_refused, actions(done)) == (True, {})
        assert "table row 1" in done.errors[0].origin
        assert not Job.objects.filter(state=JobState.PAUSED).exists()

    def test_a_provider_that_fails_half_way_pauses_nothing(self, version: TemplateVersion) -> None:
        instances.rows_apply(version=version, rows="table", given=self.given(1, 2))

        def half() -> Iterator[tuple[str, Mapping[str, Any]]]:
            yield from self.given(1)
            raise ConnectionError("the catalogue is away")

        done = instances.rows_apply(version=version, rows="table", given=half())

        assert "the catalogue is away" in done.errors[0].text
        assert not Job.objects.filter(state=JobState.PAUSED).exists()

    def test_a_table_is_read_with_its_types(self, version: TemplateVersion) -> None:
        parameters = templates.parameters(of=version)

        for table in ("key,number,minute\na,1,30\nb,2,\n", "key\tnumber\tminute\na\t1\t30\nb\t2\t\n"):
            assert providers.read_table(text=table, parameters=parameters) == [
                ("a", {"number": "1", "minute": "30"}),
                ("b", {"number": "2"}),
            ]

    @pytest.mark.parametrize(
        ("table", "expected"),
        [
            ("number\n1\n", "column “key”"),
            ("key,nmber\na,1\n", "“nmber” is not a parameter"),
            ("key,number\na\n", "Line 2 has another number"),
            ("key,number\n,1\n", "Line 2 has no key"),
            ("", "column “key”"),
        ],
    )
    def test_a_table_is_refused_by_line_and_column(self, version: TemplateVersion, table: str, expected: str) -> None:
        with pytest.raises(InvalidParameters, match=expected):
            providers.read_table(text=table, parameters=templates.parameters(of=version))
