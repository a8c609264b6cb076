"""The examples of docs/templates.md, as they stand there."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from scheduler import schedules
from scheduler.models import Job, Template

pytestmark = pytest.mark.django_db

PAGE = (Path(__file__).resolve().parents[2] / "docs/templates.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_work_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(schedules, "_providers", {})
    (tmp_path / "weekly-report.yaml").write_text(blocks("yaml")[0])
    (tmp_path / "teams.csv").write_text(blocks("csv")[0])
    exec(compile(blocks("python")[0], "docs/templates.md", "exec"), {"__name__": "page"})  # noqa: S102
    first, *others = blocks("sh")

    said = [run(line) for line in first.splitlines()]
    assert "weekly-report" in said[0]
    job = Job.objects.get(pk="report-sales")
    assert (job.name, job.tags, job.trigger["expression"]) == ("Report of sales", ["sales"], "0 9 * * mon")
    for line in "".join(others).splitlines():
        assert "refused" not in run(line)
    names = ["finance", "legal", "sales", "support"]
    assert sorted(Job.objects.values_list("pk", flat=True)) == [*(f"report-{name}" for name in names), "still-alive"]
    assert Template.objects.get(slug="heartbeat").title == "Heartbeat"
    assert {language for language, _ in re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)} == {
        "yaml",
        "csv",
        "python",
        "sh",
    }


def run(line: str) -> str:
    out = io.StringIO()
    command, _, file = line.partition(" > ")
    words = shlex.split(command)
    assert words[:2] == ["python", "manage.py"]
    try:
        call_command(*words[2:], stdout=out, stderr=out)
    except CommandError as error:
        out.write(str(error))
    if file:
        Path(file).write_text(out.getvalue(), encoding="utf-8")
    return out.getvalue()
