"""The examples of docs/jobs-as-code.md, as they stand there, and the schema that the page names."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from scheduler import conf, schedules
from scheduler.core.tasks.registry import registry
from scheduler.models import Job, Rule
from scheduler.services import declarations
from scheduler.services.declarations import files
from tests.commands import help_of

pytestmark = pytest.mark.django_db

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "jobs-as-code.md").read_text(encoding="utf-8")


def block(language: str, holding: str) -> str:
    found = [text for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if holding in text]
    assert len(found) == 1
    return found[0]


class TestTheExamples:
    @pytest.fixture(autouse=True)
    def _alone(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setattr(schedules, "_registered", [])
        before = registry.names()
        yield
        for name in registry.names() - before:
            registry.remove(name)
        conf.get.cache_clear()

    def test_of_code_create_their_jobs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "page_of_code.py").write_text(block("python", "@schedule("), encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        __import__("page_of_code")

        assert not declarations.apply().is_refused

        nightly = Job.objects.get(pk="nightly-report")
        assert (nightly.kwargs, nightly.max_retries, nightly.task) == ({"pages": 20}, 3, "shop.send_report")
        assert Job.objects.get(pk="report-preview").trigger["type"] == "interval"

    def test_of_a_file_create_their_job(self, tmp_path: Path, settings: Any) -> None:
        path = tmp_path / "jobs.yaml"
        path.write_text(block("yaml", "nightly-clean-up:"), encoding="utf-8")
        settings.SCHEDULER = {**settings.SCHEDULER, "DECLARATIONS": [path]}
        conf.get.cache_clear()

        assert not declarations.apply().is_refused
        assert Job.objects.get(pk="nightly-clean-up").kwargs == {"days": 14}

    def test_of_templates_and_rules_create_all_of_it(self, tmp_path: Path, settings: Any) -> None:
        path = tmp_path / "reports.yaml"
        path.write_text(block("yaml", "alert_rules:"), encoding="utf-8")
        settings.SCHEDULER = {**settings.SCHEDULER, "DECLARATIONS": [path]}
        conf.get.cache_clear()

        assert not declarations.apply().is_refused
        assert set(Job.objects.values_list("pk", flat=True)) == {"report-sales", "report-support"}
        assert Rule.objects.get(name="Reports fail").threshold == 2

    def test_of_settings_and_of_the_shell_work_together(self, tmp_path: Path, settings: Any) -> None:
        (tmp_path / "jobs.yaml").write_text(block("yaml", "nightly-clean-up:"), encoding="utf-8")
        names: dict[str, Any] = {"BASE_DIR": tmp_path}
        exec(block("python", "DECLARATIONS"), names)  # noqa: S102 - the page itself
        settings.SCHEDULER = {**settings.SCHEDULER, **names["SCHEDULER"]}
        conf.get.cache_clear()
        lines = block("sh", "jobs plan").splitlines()
        assert [line.split()[:2] for line in lines] == [["python", "manage.py"]] * 2

        codes = [code(*line.split()[2:]) for line in (*lines, lines[0])]

        assert codes == [2, 0, 0]

    def test_of_jobs_that_are_no_longer_declared_deletes_them(self, tmp_path: Path, settings: Any) -> None:
        path = tmp_path / "jobs.yaml"
        settings.SCHEDULER = {**settings.SCHEDULER, "DECLARATIONS": [path]}
        conf.get.cache_clear()
        for text in (block("yaml", "nightly-clean-up:"), "jobs: {}"):
            path.write_text(text, encoding="utf-8")
            assert code("jobs", "apply") == 0
        assert Job.objects.get().state == "paused"

        assert code(*block("sh", "--undeclared").split()[2:]) == 0

        assert not Job.objects.exists()

    def test_are_all_tried_here(self) -> None:
        found = re.findall(r"```(\w+)\n", PAGE)
        assert sorted(found) == ["python", "python", "sh", "sh", "yaml", "yaml"]


def code(*words: str) -> int:
    try:
        call_command(*words, stdout=io.StringIO(), stderr=io.StringIO())
    except CommandError as error:
        return error.returncode
    return 0


class TestTheSchema:
    def test_is_the_one_that_files_are_validated_with(self) -> None:
        kept = json.loads((DOCS / "jobs-file.schema.json").read_text(encoding="utf-8"))

        assert kept == files.schema()


class TestTheOptions:
    @pytest.mark.parametrize("word", ["plan", "apply"])
    def test_are_those_of_the_command(self, word: str) -> None:
        shown = help_of("jobs", word)

        for option in set(re.findall(r"`(--[a-z]+)", PAGE)) - {"--apply", "--undeclared"}:
            assert option in shown
