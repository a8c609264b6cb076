"""Files with templates, instances and alert rules: the same merge as for jobs, planned and applied together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from scheduler import conf, schedules
from scheduler.core.states import JobState
from scheduler.models import Calendar, DeclaredObject, Job, Rule, Template
from scheduler.services import calendars, declarations, jobs, templates
from scheduler.services.alerts import channels, rules
from scheduler.services.declarations import Action, Options, Synchronisation, files

pytestmark = pytest.mark.django_db

FILE = """
templates:
  report:
    title: Report
    parameters:
      - {name: hour, type: integer, default: 8}
    body:
      task: sample.square
      trigger: 0 {hour} * * *
      kwargs: {number: 3}
instances:
  report-sales:
    template: report
    parameters: {hour: 9}
  report-support:
    template: report
alert_rules:
  Reports fail:
    kind: failing
    threshold: 2
    channels: [team]
"""


@pytest.fixture
def sync(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Synchronisation]:
    """Write the file, and apply or plan it."""
    monkeypatch.setattr(schedules, "_registered", [])
    channels.create(name="team", kind="mail", config={"to": ["team@example.org"]})
    path = tmp_path / "jobs.yaml"

    def synchronise(text: str = FILE, *, release: str = "", plan: bool = False, **options: Any) -> Synchronisation:
        path.write_text(text, encoding="utf-8")
        settings.SCHEDULER = {**settings.SCHEDULER, "DECLARATIONS": [path], "RELEASE": release}
        conf.get.cache_clear()
        return (declarations.plan if plan else declarations.apply)(options=Options(**options))

    yield synchronise
    conf.get.cache_clear()


def actions(found: Synchronisation) -> dict[str, Action]:
    return {step.key: step.action for step in found.steps if step.action is not Action.UNCHANGED}


def rule() -> Rule:
    return Rule.objects.get(name="Reports fail")


class TestAFile:
    def test_creates_all_of_it_at_once(self, sync: Callable[..., Synchronisation]) -> None:
        everything = {"report", "report-sales", "report-support", "Reports fail"}
        assert actions(sync(plan=True)) == dict.fromkeys(everything, Action.CREATE)
        assert not Template.objects.exists()

        assert not sync().is_refused

        assert Job.objects.get(pk="report-sales").trigger["expression"] == "0 9 * * *"
        assert Job.objects.get(pk="report-support").trigger["expression"] == "0 8 * * *"
        assert [channel.name for channel in rule().channels.all()] == ["team"]

    def test_a_repeated_apply_changes_nothing(self, sync: Callable[..., Synchronisation]) -> None:
        sync()

        assert (actions(sync(plan=True)), actions(sync())) == ({}, {})
        assert templates.current(slug="report").number == 1

    def test_another_body_changes_the_instances_of_the_file(self, sync: Callable[..., Synchronisation]) -> None:
        sync()
        changed = FILE.replace("{number: 3}", "{number: 4}")

        plan = sync(changed, plan=True)
        assert set(actions(plan)) == {"report", "report-sales", "report-support"}
        assert next(step for step in plan.steps if step.key == "report-sales").write == {"kwargs.number": 4}
        sync(changed)

        assert Job.objects.get(pk="report-sales").kwargs == {"number": 4}
        assert templates.current(slug="report").number == 2
        assert actions(sync(changed)) == {}

    def test_what_people_changed_stays(self, sync: Callable[..., Synchronisation]) -> None:
        sync()
        rules.update(rule=rule(), threshold=5, actor="ada")
        body = {"task": "sample.nothing", "trigger": "0 1 * * *"}
        templates.add_version(template=templates.get(slug="report"), body=body, actor="ada")

        done = sync(FILE.replace("kind: failing", "kind: failing\n    severity: critical"))

        found = rule()
        assert (found.threshold, found.severity) == (5, "critical")
        drift = {step.key: [each.field for each in step.drift] for step in done.steps if step.drift}
        assert drift["Reports fail"] == ["threshold"]
        assert drift["report"] == ["definition"]
        assert templates.current(slug="report").body == body

    def test_what_disappears_is_kept_or_switched_off(self, sync: Callable[..., Synchronisation]) -> None:
        sync()

        done = sync("jobs: {}\n")

        assert actions(done)["Reports fail"] is Action.PAUSE
        assert actions(done)["report"] is Action.RELEASE
        assert not rule().enabled
        assert set(Job.objects.values_list("state", flat=True)) == {JobState.PAUSED}
        sync()
        assert rule().enabled
        assert set(Job.objects.values_list("state", flat=True)) == {JobState.ACTIVE}

    def test_a_rule_that_a_person_switched_off_stays_off(self, sync: Callable[..., Synchronisation]) -> None:
        sync()
        rules.update(rule=rule(), enabled=False, actor="ada")

        for text in (FILE, "jobs: {}\n", FILE):
            sync(text)

        assert not rule().enabled

    def test_what_a_person_deleted_stays_deleted(self, sync: Callable[..., Synchronisation]) -> None:
        sync()
        rules.remove(rule=rule(), actor="ada")

        assert actions(sync())["Reports fail"] is Action.DELETED
        assert actions(sync(recreate=True))["Reports fail"] is Action.CREATE

    def test_the_older_of_two_releases_changes_nothing(self, sync: Callable[..., Synchronisation]) -> None:
        sync(release="1.9")
        newer = FILE.replace("threshold: 2", "threshold: 3").replace("{number: 3}", "{number: 4}")
        sync(newer, release="1.10")

        sync(FILE, release="1.9")

        assert rule().threshold == 3
        assert Job.objects.get(pk="report-sales").kwargs == {"number": 4}
        sync(FILE, release="1.9", rollback=True)
        assert rule().threshold == 2
        assert Job.objects.get(pk="report-sales").kwargs == {"number": 3}

    def test_one_that_exists_is_taken_over_on_request(self, sync: Callable[..., Synchronisation]) -> None:
        rules.create(name="Reports fail", kind="failing", threshold=9)

        assert actions(sync())["Reports fail"] is Action.REFUSED
        assert actions(sync(adopt=True))["Reports fail"] is Action.ADOPT
        assert rule().threshold == 2


class TestErrors:
    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            ("{hour} * * *\n", "{day} * * *\n", "jobs.yaml:3: templates.report: The body uses {day}"),
            ("kind: failing", "kind: nonsense", "jobs.yaml:18: alert_rules.Reports fail: kind is “nonsense”"),
            ("[team]", "[team, nobody]", "jobs.yaml:18: alert_rules.Reports fail: There is no channel “nobody”."),
            ("title: Report", "tilte: Report", "jobs.yaml, line 4: templates.report.tilte:"),
            ("parameters: {hour: 9}", "parameters: {hour: x}", "instances.report-sales: hour:"),
            ("template: report\nalert", "template: none\nalert", "instances.report-support: There is no template"),
        ],
    )
    def test_name_the_line_and_nothing_is_dropped(
        self, sync: Callable[..., Synchronisation], old: str, new: str, expected: str
    ) -> None:
        sync()
        assert old in FILE

        done = sync(FILE.replace(old, new))

        assert expected in "\n".join(f"{error.origin}: {error.text}" for error in done.errors) or expected in "\n".join(
            error.text for error in done.errors
        )
        assert set(Job.objects.values_list("state", flat=True)) == {JobState.ACTIVE}
        assert rule().enabled

    def test_a_key_of_a_job_and_of_an_instance_is_an_error_of_both(self, sync: Callable[..., Synchronisation]) -> None:
        twice = "jobs:\n  report-sales: {task: sample.nothing, trigger: 0 5 * * *}\n" + FILE

        done = sync(twice)

        assert len(done.errors) == 2
        assert "declared 2 times" in done.errors[0].text


class TestTheSchema:
    def test_takes_the_file_and_rejects_a_misspelled_one(self) -> None:
        jsonschema.validate(yaml.safe_load(FILE), files.schema())

        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"templates": {"report": {"boddy": {}}}}, files.schema())


def test_an_instance_of_a_file_keeps_a_persons_edit(sync: Callable[..., Synchronisation]) -> None:
    sync()
    jobs.update(job="report-sales", priority=4, actor="ada")

    sync(FILE.replace("{number: 3}", "{number: 4}"))

    job = Job.objects.get(pk="report-sales")
    assert (job.priority, job.kwargs) == (4, {"number": 4})


def test_each_object_is_remembered_once(sync: Callable[..., Synchronisation]) -> None:
    sync()
    sync()

    assert DeclaredObject.objects.filter(owner="").count() == 2


class TestCalendars:
    TEXT = """
calendars:
  closed: {title: Closed days, rules: ["2027-12-24"]}
jobs:
  nightly:
    task: sample.nothing
    trigger: {type: cron, expression: 0 5 * * *, not_on: [closed]}
"""

    def test_are_there_before_the_jobs_that_use_them(self, sync: Callable[..., Synchronisation]) -> None:
        assert not sync(self.TEXT, plan=True).is_refused
        assert not sync(self.TEXT).is_refused

        assert Job.objects.get(pk="nightly").trigger["not_on"] == ["closed"]
        assert actions(sync(self.TEXT)) == {}

    def test_are_changed_and_the_jobs_have_no_drift(self, sync: Callable[..., Synchronisation]) -> None:
        sync(self.TEXT)

        done = sync(self.TEXT.replace("2027-12-24", "2027-12-31"))

        assert actions(done) == {"closed": Action.UPDATE}
        assert Calendar.objects.get().rules == ["2027-12-31"]
        assert declarations.drifted_jobs() == ()
        assert actions(sync(self.TEXT.replace("2027-12-24", "2027-12-31"))) == {}

    def test_keep_what_a_person_changed(self, sync: Callable[..., Synchronisation]) -> None:
        sync(self.TEXT)
        calendars.update(calendar=Calendar.objects.get(), rules=["2028-01-01"], actor="ada")

        sync(self.TEXT.replace("Closed days", "Shut"))

        found = Calendar.objects.get()
        assert (found.title, found.rules) == ("Shut", ["2028-01-01"])

    def test_that_cannot_be_used_are_named_with_their_line(self, sync: Callable[..., Synchronisation]) -> None:
        done = sync(self.TEXT.replace("2027-12-24", "2027-99-24"))

        assert "jobs.yaml:3: calendars.closed:" in done.errors[0].text
