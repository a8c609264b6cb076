"""The way over from django-crontab and back again, with the package itself and a crontab program that keeps a file."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from scheduler.core.states import JobState, RunState
from scheduler.models import Job, Run
from tests.scenarios.site import CHECKOUT, Site, environment

pytest.importorskip("django_crontab")

CRONTAB = """#!/bin/sh
# “crontab -l” prints the table, “crontab FILE” replaces it.
if [ "$1" = -l ]; then cat {table}; else cat "$1" > {table}; fi
"""
FUNCTIONS = """
from pathlib import Path

def note(text, *, times=1):
    with Path({notes!r}).open("a") as file:
        file.write((text + "\\n") * times)
"""
SETTINGS = """
from tests.settings import *
INSTALLED_APPS = [*INSTALLED_APPS, "django_crontab"]
CRONTAB_EXECUTABLE = {crontab!r}
CRONTAB_DJANGO_MANAGE_PATH = {manage!r}
CRONTAB_DJANGO_PROJECT_NAME = "shop"
CRONTAB_DJANGO_SETTINGS_MODULE = "shop_settings"
CRONJOBS = [
    ("*/5 * * * *", "shop_cron.note", ["five"], {{"times": 2}}),
    ("30 4 1 * *", "shop_cron.note", ["monthly"], {{}}, "> /dev/null"),
    ("0 3 * * sun", "django.core.management.call_command", ["clearsessions"], {{"verbosity": 0}}),
]
"""
OVER = """
from shop_settings import *
SCHEDULER = {{**SCHEDULER, "TASK_MODULES": ["shop_cron"], "DECLARATIONS": [{file!r}],
              "ALLOWED_COMMANDS": ["clearsessions"]}}
"""


class Shop:
    """A project with CRONJOBS."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.folder = site.directory
        self.table = self.folder / "table"
        self.notes = self.folder / "notes"
        self.file = self.folder / "jobs.yaml"
        for path in (self.table, self.notes):
            path.touch()
        program = self._write("crontab", CRONTAB.format(table=self.table))
        program.chmod(0o755)
        self._write("shop_cron.py", FUNCTIONS.format(notes=str(self.notes)))
        facts = {"crontab": str(program), "manage": str(CHECKOUT / "manage.py")}
        self._write("shop_settings.py", SETTINGS.format(**facts))
        self._write("over_settings.py", OVER.format(file=str(self.file)))

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def manage(self, *words: str, settings: str = "shop_settings") -> subprocess.CompletedProcess[str]:
        return self._run([sys.executable, "manage.py", *words], settings=settings)

    def cron(self) -> None:
        """Run what the lines of the table run, as cron does."""
        for line in self.table.read_text().splitlines():
            done = self._run(["sh", "-c", line.split(None, 5)[5].partition(" # ")[0]], settings="shop_settings")
            assert done.returncode == 0, done.stderr

    def _run(self, command: list[str], *, settings: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder}:{CHECKOUT}"
        return subprocess.run(
            command,
            cwd=CHECKOUT,
            env=environment(self._site.url, PYTHONPATH=path, DJANGO_SETTINGS_MODULE=settings),
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )


def test_cronjobs_come_over_run_here_and_go_back(site: Site) -> None:
    shop = Shop(site)
    assert shop.manage("crontab", "add").returncode == 0
    table = shop.table.read_text()
    assert table.count("# django-cronjobs for shop") == 3
    shop.cron()
    assert shop.notes.read_text() == "five\nfive\nmonthly\n"

    imported = shop.manage("jobs", "import-cronjobs", "--timezone", "Europe/Berlin")
    assert imported.returncode == 0, imported.stderr
    assert "SCHEDULER['TASK_MODULES'] must list: shop_cron." in imported.stderr
    assert "left out: > /dev/null" in imported.stderr
    shop.file.write_text(imported.stdout)
    applied = shop.manage("jobs", "apply", settings="over_settings")
    assert applied.returncode == 0, applied.stderr
    assert shop.manage("crontab", "remove").returncode == 0
    assert shop.table.read_text() == ""
    assert {job.pk: (job.trigger["expression"], job.task) for job in Job.objects.filter(source="code")} == {
        "shop_cron.note": ("*/5 * * * *", "shop_cron:note"),
        "shop_cron.note-2": ("30 4 1 * *", "shop_cron:note"),
        "clearsessions": ("0 3 * * sun", "scheduler.call_command"),
    }
    for job in ("shop_cron.note", "clearsessions"):
        assert shop.manage("jobs", "run", job, settings="over_settings").returncode == 0
    assert shop.manage("runscheduler", "--once", "--processes", "0", settings="over_settings").returncode == 0
    assert set(Job.objects.get(pk="clearsessions").runs.values_list("state", flat=True)) == {"succeeded"}
    # One run was asked for; a fire time that came meanwhile adds its own.
    ran = Counter(Run.objects.filter(state=RunState.SUCCEEDED).values_list("job_key", flat=True))
    assert ran["shop_cron.note"] >= 1
    expected = {"five": 2 + 2 * ran["shop_cron.note"], "monthly": 1 + ran["shop_cron.note-2"]}
    assert Counter(shop.notes.read_text().splitlines()) == expected

    shop.file.write_text("jobs: {}\n")
    assert shop.manage("jobs", "apply", settings="over_settings").returncode == 0
    assert Job.objects.get(pk="shop_cron.note").state == JobState.PAUSED
    assert shop.manage("crontab", "add").returncode == 0
    assert shop.table.read_text() == table
