"""The examples of docs/jobs-as-code.md, as they stand there, and the schema that the page names."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scheduler import conf, schedules
from scheduler.core.tasks.registry import registry
from scheduler.models import Job
from scheduler.services import declarations
from scheduler.services.declarations import files

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
        path.write_text(block("yaml", "jobs:"), encoding="utf-8")
        settings.SCHEDULER = {**settings.SCHEDULER, "DECLARATIONS": [path]}
        conf.get.cache_clear()

        assert not declarations.apply().is_refused
        assert Job.objects.get(pk="nightly-clean-up").kwargs == {"days": 14}


class TestTheSchema:
    def test_is_the_one_that_files_are_validated_with(self) -> None:
        kept = json.loads((DOCS / "jobs-file.schema.json").read_text(encoding="utf-8"))

        assert kept == files.schema()


class TestTheOptions:
    @pytest.mark.parametrize("word", ["plan", "apply"])
    def test_are_those_of_the_command(self, word: str) -> None:
        shown = subprocess.run(
            [sys.executable, "manage.py", "jobs", word, "--help"],
            cwd=DOCS.parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

        for option in set(re.findall(r"`(--[a-z]+)", PAGE)) - {"--apply"}:
            assert option in shown
