from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Cluster
from tests.scenarios.own_project import OwnProject
from tests.waiting import wait_until

ROUTER = '''
class Jobs:
    """Sends the scheduler's tables to a database of their own."""

    apps = ("scheduler", "django_apscheduler")

    def db_for_read(self, model, **hints):
        return "jobs" if model._meta.app_label in self.apps else None

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **hints):
        return (db == "jobs") == (app_label in self.apps)
'''

SETTINGS = """
DATABASES["jobs"] = {{**DATABASES["default"], "NAME": "{name}"}}
DATABASE_ROUTERS = ["catalog.routing.Jobs"]
"""

WORK = """
from scheduler.services import jobs, runs
job = jobs.create(id="tick", task="reports.send_report", kwargs={"recipient": "a"},
                  trigger={"type": "interval", "hours": 1})
jobs.pause(job=job)
jobs.resume(job=job)
jobs.update(job=job, kwargs={"recipient": "b"})
jobs.run_now(job=job)

from scheduler.services import bulk, calendars, templates
from scheduler.services.alerts import channels, incidents, rules, switches
from scheduler.services.bulk import Selection
from scheduler.services.jobs import restoring, transfer
from scheduler.services.templates import instances
from scheduler.models import Change, Incident
channel = channels.create(name="Ops", kind="webhook", config={"url": "https://shop.example/hook"})
rule = rules.create(name="Fails", kind="failing", threshold=3, channels=[channel])
rules.update(rule=rule, threshold=4)
switch = switches.create(name="Dead man", url="https://shop.example/ping")
Incident.objects.create(rule=rule, rule_name="Fails", kind="failing", severity="warning", subject="job:tick",
                        job_key="tick", job_name="tick")
incidents.acknowledge(incident=Incident.objects.get(), actor="anna")
calendar = calendars.create(name="holidays", rules=["2031-01-01"])
jobs.create(id="free", task="reports.send_report", kwargs={"recipient": "a"},
            trigger={"type": "cron", "expression": "0 9 * * *", "not_on": ["holidays"]})
calendars.update(calendar=calendar, rules=["2031-01-01", "2031-12-25"])
body = {"task": "reports.send_report", "kwargs": {"recipient": "a"}, "trigger": {"type": "interval", "hours": 1}}
version = templates.create(slug="mirror", title="Mirror", body=body)
instances.create(version=version, key="mirrored", values={})
for action in ("pause", "resume", "run"):
    row = bulk.begin(subject="jobs", action=action, selection=Selection(ids=("free",)), actor="anna")
    while row.finished_at is None:
        row = bulk.step(id=row.pk)
    assert row.refused == 0, row.refusals
jobs.remove(job="mirrored")
restoring.restore(change=Change.objects.latest("id"), actor="anna")
document = transfer.export(with_alerts=True)
transfer.import_jobs(document=document, actor="anna", update=True)
transfer.import_alerts(document=document, actor="anna", update=True)
"""

RUNS = """
import json
from scheduler.models import Run
print(json.dumps(list(Run.objects.filter(job_key="tick").values_list("state", flat=True))))
"""

PAGES = """
from django.contrib.auth import get_user_model
from django.test import Client
from django.conf import settings
settings.ALLOWED_HOSTS = ["testserver"]
user = get_user_model().objects.create_superuser("root", "root@example.org", "secret")
client = Client()
client.force_login(user)
lists = ("job", "run", "node", "change", "rule", "channel", "incident", "notification", "calendar", "template")
resources = ("status", "metrics", "health", "jobs", "runs", "changes", "nodes", "tasks", "rules", "channels",
             "switches", "incidents", "calendars", "templates", "tokens")
for page in ("/admin/", "/admin/scheduler/job/tick/change/", "/admin/scheduler/job/tick/show/",
             "/admin/scheduler/node/health/",
             *(f"/admin/scheduler/{name}/" for name in lists),
             *(f"/api/v1/scheduler/{name}" for name in resources)):
    print(page, client.get(page).status_code)
key = {"HTTP_IDEMPOTENCY_KEY": "once"}
print("run", client.post("/api/v1/scheduler/jobs/tick/run", "{}", content_type="application/json", **key).status_code)
user.delete()
print("deleted", 200)
"""


@pytest.fixture
def project(cluster: Cluster, tmp_path: Path) -> Iterator[OwnProject]:
    if not cluster.is_running:
        cluster.start()
    for name in ("people", "their_jobs"):
        cluster.psql(f"CREATE DATABASE {name}")
    project = OwnProject(
        directory=tmp_path / "own",
        python=sys.executable,
        database=cluster.url("people"),
        settings=SETTINGS.format(name="their_jobs"),
    )
    yield project
    for name in ("people", "their_jobs"):
        cluster.psql(f"DROP DATABASE {name} WITH (FORCE)")


class TestTablesThatARouterSendsElsewhere:
    def test_work_as_those_of_the_default_database(self, project: OwnProject, cluster: Cluster) -> None:
        tables = cluster.url("their_jobs")
        project.make()
        project.append("catalog/routing.py", ROUTER)

        assert "no issues" in project.manage("check").stdout
        assert "error: none" in project.manage("init_scheduler_db").stdout
        project.shell(WORK)
        node = project.start_node("--processes", "0")
        try:
            wait_until(lambda: ("tick", "reports.send_report") in project.succeeded(database=tables))
            assert json.loads(project.shell(RUNS)) == ["succeeded"]
            answers = project.shell(PAGES).splitlines()
            status = project.manage("scheduler_status")
        finally:
            node.send_signal(signal.SIGTERM)
            assert node.wait(120) == 0

        assert [line for line in answers if line.split()[-1] not in ("200", "202")] == []
        assert status.returncode == 0

    def test_are_missed_where_the_nodes_look_elsewhere(self, project: OwnProject) -> None:
        project.make()
        project.append("catalog/routing.py", ROUTER)
        project.append("shop/settings.py", 'SCHEDULER["DATABASE"] = "default"\n')

        refused = project.manage("init_scheduler_db", check=False)

        assert refused.returncode == 1
        assert "which is another database than “jobs”" in refused.stderr
