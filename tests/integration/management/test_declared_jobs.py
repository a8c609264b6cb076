"""``manage.py jobs plan`` and ``jobs apply``: text, JSON and exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.core.management.color import no_style
from django.db.utils import OperationalError

from scheduler import conf, schedules
from scheduler.errors import DatabaseUnavailable
from scheduler.management import declared
from scheduler.management.commands.jobs import Command
from scheduler.models import Declaration, Job
from scheduler.services import declarations, jobs

pytestmark = pytest.mark.django_db

TWO = "jobs:\n  one: {task: sample.nothing, trigger: 0 5 * * *}\n  two: {task: sample.nothing, trigger: 0 6 * * *}\n"


@pytest.fixture(autouse=True)
def file(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Path:
    monkeypatch.setattr(schedules, "_registered", [])
    path = tmp_path / "jobs.yaml"
    settings.SCHEDULER = {**settings.SCHEDULER, "DECLARATIONS": [path]}
    conf.get.cache_clear()
    path.write_text(TWO)
    return path


def run(*arguments: str) -> tuple[str, int]:
    out = io.StringIO()
    try:
        call_command("jobs", *arguments, stdout=out, stderr=io.StringIO())
    except CommandError as error:
        return out.getvalue(), error.returncode
    return out.getvalue(), 0


class TestPlan:
    def test_leaves_with_2_while_there_are_changes_and_with_0_afterwards(self) -> None:
        assert run("plan")[1] == 2
        assert not Job.objects.exists()
        run("apply")
        assert run("plan") == ("2 unchanged.\n", 0)

    def test_shows_old_and_new_and_what_a_person_set(self, file: Path) -> None:
        run("apply")
        jobs.update(job=Job.objects.get(pk="two"), priority=7)
        file.write_text(TWO.replace("0 5", "30 5").replace("0 6 * * *}", "0 6 * * *, priority: 1}"))

        text, code = run("plan")

        assert code == 2
        assert "~ one: update" in text
        assert "    trigger: cron 0 5 * * * → cron 30 5 * * *" in text
        assert "    priority: 7 was set by a person and stays; declared is 1" in text

    def test_shows_all_of_what_is_new(self, file: Path) -> None:
        file.write_text("calendars:\n  closed: {title: Closed, rules: [2035-01-01]}\n" + TWO)

        lines = run("plan")[0].splitlines()

        assert lines[:3] == [
            "+ calendar closed: create  (jobs.yaml:2)",
            "    title: Closed",
            '    rules: ["2035-01-01"]',
        ]
        assert {"+ one: create  (jobs.yaml:4)", "    task: sample.nothing", "3 create."} <= set(lines)
        assert "    trigger: at 05:00 every day" in "\n".join(lines)
        assert len([line for line in lines if line.startswith("    next runs: 2")]) == 2

    @pytest.mark.parametrize(
        "part", ["not_on: [closed]", "jitter_seconds: 5", "end_at: 2099-01-01", "timezone: Asia/Tokyo"]
    )
    def test_names_the_part_of_a_trigger_that_differs(self, file: Path, part: str) -> None:
        """The expression alone would read “cron 0 5 * * * → cron 0 5 * * *”."""
        calendars = "calendars:\n  closed: {rules: [2035-01-01]}\n"
        text = calendars + "jobs:\n  one:\n    task: sample.nothing\n    trigger: {TRIGGER}\n"
        trigger = "type: cron, expression: 0 5 * * *"
        file.write_text(text.replace("TRIGGER", trigger))
        run("apply")
        file.write_text(text.replace("TRIGGER", f"{trigger}, {part}"))

        [line] = [line for line in run("plan")[0].splitlines() if "trigger" in line]

        old, new = line.removeprefix("    trigger: ").split(" → ")
        assert old != new

    def test_shows_what_differs_inside_a_template(self, file: Path) -> None:
        text = "templates:\n  t: {body: {task: sample.nothing, trigger: 0 5 * * *, priority: 1}}\n"
        file.write_text(text)
        new = run("plan")[0]
        run("apply")
        file.write_text(text.replace("priority: 1", "priority: 2"))

        assert "    definition.body.priority: 1\n" in new
        assert run("plan")[0].splitlines()[1:-1] == ["    definition.body.priority: 1 → 2"]

    def test_names_a_file_once(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file.write_text("jobs: [\n")
        err = io.StringIO()

        with pytest.raises(CommandError):
            call_command("jobs", "plan", stdout=io.StringIO(), stderr=err)

        assert err.getvalue().startswith("! jobs.yaml, line 2 is not valid YAML")

    @pytest.mark.parametrize(("word", "code"), [("plan", 1), ("apply", 2), ("list", 2)])
    def test_leaves_with_1_for_a_wrong_option(self, word: str, code: int) -> None:
        for wrong in (["--prune", "sometimes"], ["--pruned"]):
            with pytest.raises(SystemExit) as left:
                Command().run_from_argv(["manage.py", "jobs", word, *wrong])

            assert left.value.code == code

    def test_prints_json(self) -> None:
        text, code = run("plan", "--json")

        document = json.loads(text)
        assert (code, document["has_changes"], document["errors"]) == (2, True, [])
        assert [(step["key"], step["action"]) for step in document["steps"]] == [("one", "create"), ("two", "create")]
        assert document["steps"][0]["changes"]["task"] == {"old": None, "new": "sample.nothing"}

    def test_leaves_with_1_when_a_file_cannot_be_read(self, file: Path) -> None:
        file.write_text("jobs: [\n")

        assert run("plan")[1] == 1

    @pytest.mark.parametrize("error", [OperationalError("the server is gone"), DatabaseUnavailable("It is gone.")])
    def test_leaves_with_1_without_a_database(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        """2 would look like changes to a pipeline."""
        monkeypatch.setattr(declarations, "plan", Mock(side_effect=error))

        assert run("plan")[1] == 1

    def test_masks_secrets(self, file: Path) -> None:
        text = "jobs:\n  one: {task: governed.use_secret, trigger: 0 5 * * *, kwargs: {token: KEY}}\n"
        file.write_text(text.replace("KEY", "first-token"))
        run("apply")
        file.write_text(text.replace("KEY", "second-token"))

        for shown in (run("plan")[0], run("plan", "--json")[0]):
            assert "kwargs.token" in shown
            assert "-token" not in shown


class TestANodeThatApplies:
    def test_warns_once_that_an_older_release_could_undo_it(self, settings: Any) -> None:
        def start(release: str) -> str:
            settings.SCHEDULER = {**settings.SCHEDULER, "RELEASE": release}
            conf.get.cache_clear()
            out = io.StringIO()
            declared.apply_at_start(out=OutputWrapper(out), style=no_style())
            return out.getvalue()

        assert "SCHEDULER['RELEASE'] is not set" in start("")
        assert "RELEASE" not in start("")
        Job.objects.all().delete()
        Declaration.objects.all().delete()
        assert start("1.0").endswith("2 create.\n")


class TestApply:
    def test_pauses_what_is_no_longer_declared_or_keeps_it(self, file: Path) -> None:
        run("apply")
        file.write_text("jobs:\n  one: {task: sample.nothing, trigger: 0 5 * * *}\n")

        assert "- two: pause" in run("apply")[0]
        assert Job.objects.get(pk="two").state == "paused"

    def test_leaves_with_1_when_something_is_refused_and_applies_the_rest(self, file: Path) -> None:
        file.write_text(TWO.replace("sample.nothing, trigger: 0 5", "sample.nowhere, trigger: 0 5"))

        text, code = run("apply")

        assert code == 1
        assert "! one: refused" in text
        assert list(Job.objects.values_list("pk", flat=True)) == ["two"]

    def test_says_what_to_do_when_nothing_is_declared(self, file: Path) -> None:
        file.write_text("")

        assert run("apply") == (
            "No job is declared. Put @schedule above a task, or name files in SCHEDULER['DECLARATIONS'].\n",
            0,
        )
