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
        assert run("plan") == ("+ one: create  (jobs.yaml:2)\n+ two: create  (jobs.yaml:3)\n2 create.\n", 2)
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

    def test_prints_json(self) -> None:
        text, code = run("plan", "--json")

        document = json.loads(text)
        assert (code, document["has_changes"], document["errors"]) == (2, True, [])
        assert [(step["key"], step["action"]) for step in document["steps"]] == [("one", "create"), ("two", "create")]

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
