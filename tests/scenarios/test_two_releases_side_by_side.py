"""Nodes of two releases that each synchronise their declarations when they start: neither undoes the other."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from scheduler.core.states import JobState
from scheduler.models import Change, Job, Run
from scheduler.services import declarations, jobs
from tests.scenarios.site import CHECKOUT, NodeProcess, Site, environment
from tests.scenarios.ticking import EVERY_SECOND, assert_covered_once
from tests.waiting import wait_until

DAILY = {"task": "sample.nothing", "trigger": {"type": "interval", "days": 1}}
TICKING = {"task": "sample.nothing", "trigger": EVERY_SECOND, "misfire_grace_time": None}

OLDER = {"ticking": {**TICKING, "priority": 1}, "report": {**DAILY, "tags": ["old"]}, "dropped": DAILY}
NEWER = {"ticking": {**TICKING, "priority": 2}, "report": {**DAILY, "tags": ["new"], "max_retries": 2}, "added": DAILY}


class Releases:
    """Two releases of one project: settings of their own, and a file of declarations each."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._paths = {name: self._write(name, jobs) for name, jobs in (("1.9", OLDER), ("1.10", NEWER))}

    def _write(self, release: str, declared: dict[str, Any]) -> str:
        module = f"release_{release.replace('.', '_')}"
        file = self._site.directory / f"{module}.json"
        file.write_text(json.dumps({"jobs": declared}), encoding="utf-8")
        text = f"SCHEDULER = {{**SCHEDULER, 'RELEASE': {release!r}, 'DECLARATIONS': [{str(file)!r}]}}\n"
        (self._site.directory / f"{module}.py").write_text(f"from tests.settings import *\n{text}", encoding="utf-8")
        return module

    def variables(self, release: str) -> dict[str, str]:
        return {"DJANGO_SETTINGS_MODULE": self._paths[release], "PYTHONPATH": str(self._site.directory)}

    def start(self, release: str) -> NodeProcess:
        return self._site.launch("--apply", "--processes", "0", **self.variables(release))

    def run(self, release: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=CHECKOUT,
            env=environment(self._site.url, **self.variables(release)),
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )


def stored() -> dict[str, Any]:
    found = Job.objects.filter(pk__in=[*OLDER, *NEWER]).order_by("pk")
    return {job.pk: (job.state, job.priority, job.tags, job.max_retries) for job in found}


AS_THE_NEWER_SAYS = {
    "added": (JobState.ACTIVE, 0, [], 0),
    "dropped": (JobState.PAUSED, 0, [], 0),
    "report": (JobState.ACTIVE, 0, ["new"], 2),
    "ticking": (JobState.ACTIVE, 2, [], 0),
}


def test_the_newer_one_stays_however_often_the_older_one_starts(site: Site) -> None:
    releases = Releases(site)
    older = releases.start("1.9")
    older.printed("scheduler.node.started")
    assert stored()["report"] == (JobState.ACTIVE, 0, ["old"], 0)
    newer = releases.start("1.10")
    newer.printed("scheduler.node.started")
    assert stored() == AS_THE_NEWER_SAYS
    jobs.update(job="report", actor="ada", description="Mine.")

    older.kill()
    site.lose(older)
    at_once = [releases.start(release) for release in ("1.9", "1.10", "1.9", "1.10")]
    for node in at_once:
        node.printed("scheduler.node.started")

    assert stored() == AS_THE_NEWER_SAYS
    assert Job.objects.get(pk="report").description == "Mine."
    assert "Release 1.10 declares it; this is 1.9." in at_once[0].output
    written = Change.objects.filter(job_key="report", via="command").exclude(action="created")
    assert written.count() == 1, "each start of a node wrote the job again"
    ticked = Run.objects.filter(job_key="ticking").count()
    wait_until(lambda: Run.objects.filter(job_key="ticking").count() > ticked + 1)
    for node in (newer, *at_once):
        node.stop()
    assert_covered_once(Job.objects.get(pk="ticking"))


def test_the_older_one_comes_back_on_request_only(site: Site) -> None:
    releases = Releases(site)
    for release in ("1.9", "1.10"):
        assert releases.run(release, "jobs", "apply").returncode == 0

    plain = releases.run("1.9", "jobs", "apply")
    assert stored() == AS_THE_NEWER_SAYS
    back = releases.run("1.9", "jobs", "apply", "--rollback")

    assert (plain.returncode, back.returncode) == (0, 0), plain.stderr + back.stderr
    found = stored()
    assert found["added"][0] == JobState.PAUSED
    assert found["dropped"][0] == JobState.ACTIVE
    assert (found["ticking"][1], found["report"][2:]) == (1, (["old"], 0))
    assert releases.run("1.9", "jobs", "plan").returncode == 0
    assert declarations.drifted_jobs() == ()
