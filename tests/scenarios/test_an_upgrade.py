"""Installations of earlier releases, with jobs, runs and their history, are migrated and go on with all of it."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import Cluster
from tests.scenarios.site import CHECKOUT, environment

RELEASES = {"2026-11-23": "a6441c8032ff0b7fb9d1e646eacbccb4fa59cfea", "two days before": "de192ea"}
"""The two releases of which installations exist, by their commits."""

_numbers = count(1)

FILL = """
import django
django.setup()
from datetime import timedelta
from django.utils import timezone
from scheduler.services import jobs
now = timezone.now()
call = {"task": "sample.nothing", "actor": "anna"}
jobs.create(id="cron", trigger={"type": "cron", "expression": "0 9 * * mon", "timezone": "Europe/Berlin"},
            tags=["night"], description="Words", max_retries=3, **call)
jobs.create(id="calendar", trigger={"type": "calendar", "weeks": 2, "at": "09:30", "timezone": "Europe/Berlin",
            "start_at": "2026-11-30"}, **call)
jobs.create(id="interval", trigger={"type": "interval", "hours": 6}, **call)
jobs.create(id="once", trigger={"type": "date", "run_at": (now + timedelta(days=400)).isoformat()}, **call)
jobs.create(id="paused", trigger={"type": "interval", "hours": 1}, **call)
jobs.pause(job=jobs.get(id="paused"), actor="anna", reason="Too expensive")
jobs.update(job=jobs.get(id="interval"), actor="ben", kwargs={}, priority=7)
for job in ("cron", "interval"):
    jobs.run_now(job=jobs.get(id=job), actor="anna")
fails = jobs.create(id="fails", task="sample.fail", kwargs={"message": "no"}, actor="anna",
                    trigger={"type": "interval", "hours": 12})
jobs.run_now(job=fails, actor="anna")
"""

READ = """
import django, json
django.setup()
from scheduler import models
from scheduler.models import Job, Run
from scheduler.services import jobs
from scheduler.core import triggers
from datetime import datetime, timezone
at = datetime(2026, 12, 1, tzinfo=timezone.utc)
print(json.dumps({
    "jobs": {job.pk: [job.name, job.task, job.state, str(job.state_reason), job.tags, job.description, job.max_retries,
                      job.priority, job.version, job.created_by, job.next_run_time and job.next_run_time.isoformat(),
                      [str(each) for each in triggers.next_fire_times(job.trigger, after=at, count=5)]]
             for job in Job.objects.order_by("pk")},
    "runs": list(Run.objects.order_by("id").values_list("id", "job_key", "state", "task", "attempt", "log")),
    "changes": [[str(value) for value in row] for row in
                models.Change.objects.order_by("id").values_list("id", "job_key", "action", "actor", "version")]
               if hasattr(models, "Change") else [],
}, default=str))
"""


@pytest.fixture(params=[pytest.param("2026-11-23", marks=pytest.mark.campaign), "two days before"])
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a folder with the files of a release."""
    commit = RELEASES[request.param]
    archive = subprocess.run(["git", "archive", commit], cwd=CHECKOUT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"The history of this checkout does not reach {commit}: clone all of it to run this test.")
    folder = tmp_path / "earlier"
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    if not cluster.is_running:
        cluster.start()
    name = f"upgrade_{next(_numbers)}"
    cluster.psql(f"CREATE DATABASE {name}")
    yield cluster.url(name)
    cluster.psql(f"DROP DATABASE {name} WITH (FORCE)")


class Release:
    """The commands of one release, on a database."""

    def __init__(self, *, folder: Path, url: str) -> None:
        self._folder = folder
        self._environment = environment(url, PYTHONPATH=str(folder), OPENLEARN_DATA_DIR=str(folder / ".data"))

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("-c", READ).splitlines()[-1])
        return found


class TestAnInstallationOfAnEarlierRelease:
    def test_goes_on_with_all_that_it_had(self, earlier: Path, url: str) -> None:
        before, after = Release(folder=earlier, url=url), Release(folder=CHECKOUT, url=url)
        before.run("manage.py", "init_scheduler_db")
        before.run("-c", FILL)
        before.run("manage.py", "runscheduler", "--once", "--processes", "0")
        kept = before.read()
        assert {run[2] for run in kept["runs"]} == {"succeeded", "failed"}

        assert "error: none" in after.run("manage.py", "init_scheduler_db")

        found = after.read()
        assert found["jobs"].keys() == {*kept["jobs"], "scheduler.cleanup_jobs"}
        assert {id: found["jobs"][id] for id in kept["jobs"]} == kept["jobs"]
        assert found["runs"] == kept["runs"]
        assert found["changes"][: len(kept["changes"])] == kept["changes"]
        after.run("manage.py", "convert_reasons")
        after.run("-c", "import django\ndjango.setup()\nfrom scheduler.services import jobs\njobs.run_now(job='cron')")
        after.run("manage.py", "runscheduler", "--once", "--processes", "0")
        assert after.read()["runs"][-1][1:3] == ["cron", "succeeded"]
        assert json.loads(after.run("manage.py", "jobs", "list", "-o", "json"))
