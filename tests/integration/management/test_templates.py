"""``manage.py templates``: load, create, sync, upgrade, detach."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from scheduler import schedules
from scheduler.models import Declaration, Job, Template
from scheduler.services import declarations, jobs
from scheduler.services.jobs import transfer

pytestmark = pytest.mark.django_db

SQUARES = """
slug: squares
title: Squares
parameters:
  - {name: number, type: integer}
  - {name: topics, type: list, default: []}
body:
  task: sample.square
  trigger: 0 5 * * *
  name: Square of {number}
  tags: ["{topics}"]
  kwargs: {number: "{number}"}
"""


def run(*arguments: str) -> tuple[str, int, str]:
    out = io.StringIO()
    try:
        call_command("templates", *arguments, stdout=out, stderr=out)
    except CommandError as error:
        return out.getvalue(), error.returncode, str(error)
    return out.getvalue(), 0, ""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "squares.yaml"
    path.write_text(SQUARES.replace('  tags: ["{topics}"]\n', ""))
    assert run("load", str(path))[1] == 0
    return path


class TestLoading:
    def test_adds_a_version_only_when_something_changed(self, file: Path) -> None:
        assert json.loads(run("load", str(file), "-o", "json")[0]) == {"slug": "squares", "version": 1}
        file.write_text(file.read_text().replace("0 5", "0 6"))
        assert json.loads(run("load", str(file), "-o", "json")[0]) == {"slug": "squares", "version": 2}
        assert "squares" in run("list")[0]

    @pytest.mark.parametrize(
        ("text", "code", "expected"),
        [
            ("slug: [", 2, "not valid YAML"),
            ("slug: x\n", 2, "needs “slug” and “body”"),
            ("slug: x\nbody: {}\ncolour: red\n", 2, "unknown key “colour”"),
            ("slug: x\nbody: {task: a}\n", 1, "needs “trigger”"),
        ],
    )
    def test_is_refused_with_a_sentence(self, tmp_path: Path, text: str, code: int, expected: str) -> None:
        path = tmp_path / "x.yaml"
        path.write_text(text)

        _, returned, error = run("load", str(path))

        assert (returned, expected in error) == (code, True)


class TestInstances:
    def test_are_created_with_values(self, file: Path) -> None:
        assert run("create", "squares", "three", "--set", "number=3")[1] == 0
        assert Job.objects.get(pk="three").name == "Square of 3"

        assert "number" in run("create", "squares", "four", "--set", "number=x")[2]
        assert "NAME=VALUE" in run("create", "squares", "four", "--set", "number")[2]
        assert "no template" in run("create", "circles", "four")[2]

    def test_follow_a_table(self, file: Path, tmp_path: Path) -> None:
        table = tmp_path / "rows.csv"
        table.write_text("key,number\na,1\nb,2\n")

        text, code, _ = run("sync", "squares", "--table", str(table), "--dry-run")
        assert (code, "2 create." in text) == (2, True)
        assert run("sync", "squares", "--table", str(table))[1] == 0
        table.write_text("key,number\nb,3\n")
        text, code, _ = run("sync", "squares", "--table", str(table))

        assert code == 0
        assert "- a: pause" in text
        assert Job.objects.get(pk="b").kwargs == {"number": 3}

    def test_follow_a_provider(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(schedules._providers, "two", lambda: [("a", {"number": 1}), ("b", {"number": 2})])

        assert run("sync", "squares", "--rows", "two")[1] == 0
        assert Job.objects.count() == 2
        assert "Available: two" in run("sync", "squares", "--rows", "three")[2]

    def test_are_upgraded_and_detached(self, file: Path) -> None:
        run("create", "squares", "three", "--set", "number=3")
        file.write_text(file.read_text().replace("0 5", "0 6"))
        run("load", str(file))

        text, code, _ = run("upgrade", "squares", "--dry-run")
        assert (code, "trigger: cron 0 5 * * * → cron 0 6 * * *" in text) == (2, True)
        assert run("upgrade", "squares")[1] == 0
        assert Job.objects.get().trigger["expression"] == "0 6 * * *"
        assert run("upgrade", "squares", "--dry-run")[1] == 0
        assert run("detach", "three")[1] == 0
        assert not Declaration.objects.exists()


class TestAJob:
    def test_becomes_a_template(self, file: Path) -> None:
        run("create", "squares", "three", "--set", "number=3")

        assert run("from-job", "three", "--slug", "cubes")[1] == 0
        assert run("create", "cubes", "again", "--set", "number=4")[1] == 0

        assert Job.objects.get(pk="again").kwargs == {"number": 4}

    def test_that_is_gone_is_refused(self) -> None:
        assert "gone" in run("from-job", "gone")[2]


class TestAnExport:
    def test_has_all_versions_and_comes_back(self, file: Path, tmp_path: Path) -> None:
        file.write_text(file.read_text().replace("0 5", "0 6"))
        run("load", str(file))
        export = tmp_path / "templates.json"
        export.write_text(run("export", "squares")[0])
        Template.objects.get(slug="squares").delete()

        assert run("import", str(export), "--dry-run") == ("squares: version 2\n", 0, "")
        assert not Template.objects.filter(slug="squares").exists()
        assert run("import", str(export)) == ("squares: version 2\n", 0, "")
        assert run("import", str(export)) == ("", 0, "")
        assert [each.body["trigger"] for each in Template.objects.get(slug="squares").versions.order_by("number")] == [
            "0 5 * * *",
            "0 6 * * *",
        ]
        assert "no template" in run("export", "circles")[2]

    def test_of_jobs_keeps_what_they_are_instances_of(self, file: Path) -> None:
        run("create", "squares", "three", "--set", "number=3")
        jobs.update(job="three", name="Mine", actor="ada")
        document = json.loads(json.dumps(transfer.export()))
        Job.objects.all().delete()
        Declaration.objects.all().delete()
        Template.objects.all().delete()

        tried = transfer.import_jobs(document=document, actor="ben", dry_run=True)
        assert [each.what for each in tried] == ["created"]
        assert not Template.objects.filter(slug="squares").exists()
        transfer.import_jobs(document=document, actor="ben")

        row = Declaration.objects.get()
        assert (row.job_key, row.template_version.template.slug, row.parameters) == ("three", "squares", {"number": 3})
        assert [each.field for each in declarations.drift(job=Job.objects.get())] == ["name"]
        file.write_text(file.read_text().replace("0 5", "0 6"))
        run("load", str(file))
        run("upgrade", "squares")
        assert (Job.objects.get().name, Job.objects.get().trigger["expression"]) == ("Mine", "0 6 * * *")

    @pytest.mark.parametrize("text", ["[]", "templates: 7", "templates: [{slug: x}]"])
    def test_of_another_form_is_refused(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "x.json"
        path.write_text(text)

        assert run("import", str(path))[1] == 1


class TestANewVersion:
    def test_shows_its_plan_and_is_not_added(self, file: Path) -> None:
        run("create", "squares", "three", "--set", "number=3")
        file.write_text(file.read_text().replace("0 5", "0 6"))

        text, code, _ = run("load", str(file), "--dry-run")

        assert (code, "    next runs: 20" in text) == (2, True)
        assert "trigger: cron 0 5 * * * → cron 0 6 * * *" in text
        assert Template.objects.get(slug="squares").versions.count() == 1
        new = file.with_name("new.yaml")
        new.write_text(file.read_text().replace("slug: squares", "slug: circles"))
        assert run("load", str(new), "--dry-run")[1] == 2
        assert not Template.objects.filter(slug="circles").exists()


class TestTemplatesThatShip:
    def test_are_listed_and_restored(self) -> None:
        assert "call-a-url" in run("list")[0]
        assert run("restore", "call-a-url")[1] == 0
        assert "call-a-url" in run("restore", "other")[2]
