"""
A bare project that follows the README.

The long tests have the mark ``campaign``: CI runs them with each Django (``nox --session corners``).
"""

from __future__ import annotations

import json
import signal

import pytest

from tests.scenarios.own_project import CHECKOUT, OwnProject, block
from tests.waiting import wait_until

TASK = """

import logging

from scheduler import current_run


@task(name="catalog.talk", executor="processpool")
def talk(*, words: str) -> str:
    logging.getLogger("somewhere").info("info of a logger: %s", words)
    logging.getLogger("somewhere").debug("debug of a logger")
    current_run().log.info("info of the run: %s", words)
    return words


@task(name="catalog.whisper")
def whisper(*, words: str) -> str:
    logging.getLogger("somewhere").info("info of a logger: %s", words)
    return words
"""

PAGES = """
from django.contrib.auth import get_user_model
from django.test import Client
from django.conf import settings
settings.ALLOWED_HOSTS = ["testserver"]
user = get_user_model().objects.create_superuser("root", "root@example.org", "secret")
client = Client()
client.force_login(user)
for page in ("/admin/", "/admin/scheduler/job/", "/admin/scheduler/job/add/", "/admin/scheduler/run/",
             "/admin/scheduler/node/", "/api/v1/scheduler/status", "/api/v1/scheduler/jobs", "/api/v1/scheduler/tasks"):
    print(page, client.get(page).status_code)
"""

DOCS = """
from django.conf import settings
from django.test import Client
settings.ALLOWED_HOSTS = ["testserver"]
answer = Client().get("/api/v1/scheduler/docs")
print(answer.status_code, answer.content.decode())
"""

RUNS = """
import json
from scheduler.models import Run
found = Run.objects.filter(state="succeeded", task__startswith="catalog.").values_list("task", "result", "log")
print(json.dumps(list(found)))
"""

FACTS = """
import json, django, importlib.util
from django.db.backends.postgresql.psycopg_any import is_psycopg3
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT DISTINCT application_name FROM pg_stat_activity WHERE application_name LIKE 'scheduler %'")
    sessions = sorted(name for (name,) in cursor.fetchall())
print(json.dumps({"django": django.__version__, "psycopg3": is_psycopg3, "sessions": sessions}))
"""


class TestTheReadme:
    @pytest.mark.campaign
    def test_is_all_that_a_bare_project_needs(self, project: OwnProject) -> None:
        project.make()
        project.append("catalog/tasks.py", TASK)

        assert "no issues" in project.manage("check").stdout
        assert "error: none" in project.manage("init_scheduler_db").stdout
        project.shell(block(section="Schedule a job", begins="from scheduler.services import jobs"))
        project.shell(
            "from scheduler.services import jobs\n"
            "for task in ('catalog.talk', 'catalog.whisper'):\n"
            "    job = jobs.create(task=task, kwargs={'words': 'hello'}, trigger={'type': 'interval', 'hours': 1})\n"
            "    jobs.run_now(job=job)"
        )
        node = project.start_node()
        try:
            wait_until(lambda: {"catalog.talk", "catalog.whisper"} <= {task for _, task in project.succeeded()})
            facts = json.loads(project.shell(FACTS))
        finally:
            node.send_signal(signal.SIGTERM)
            assert node.wait(120) == 0

        printed = (project.directory / "node.log").read_text()
        assert "works. Executors: default (5), processpool (2)." in printed
        assert "INFO scheduler.node.started node=" in printed
        assert "scheduler heartbeat" in facts["sessions"]
        for task, result, log in json.loads(project.shell(RUNS)):
            assert result == "hello"
            assert "info of a logger: hello" in log
            assert "debug of a logger" not in log
            assert (task == "catalog.talk") == ("info of the run: hello" in log)
        assert {line.split()[1] for line in project.shell(PAGES).splitlines()} == {"200"}
        docs = project.shell(DOCS)
        assert docs.startswith("404")
        assert "This page needs drf_spectacular and drf_spectacular_sidecar in INSTALLED_APPS." in docs
        project.append(
            "shop/settings.py", 'INSTALLED_APPS += ["drf_spectacular", "drf_spectacular_sidecar"]  # as the 404 says'
        )
        docs = project.shell(DOCS)
        assert docs.startswith("200")
        assert "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js" in docs
        assert "https://" not in docs
        for command in (("jobs", "list"), ("runs", "list"), ("makemigrations", "--check", "--dry-run")):
            project.manage(*command)

    def test_names_every_app_that_is_needed(self) -> None:
        written = block(section="In a project of your own", begins="# settings.py")

        for app in ("django.contrib.postgres", "knox", "django_apscheduler", "scheduler"):
            assert f'"{app}"' in written

    def test_promises_versions_that_the_package_allows(self) -> None:
        assert "django>=5.2,<7" in (CHECKOUT / "pyproject.toml").read_text()


LEFT = """
import sys
sys.modules["scheduler"] = None  # whatever imports it fails, as after pip uninstall
import json
from apscheduler.schedulers.background import BackgroundScheduler
from django_apscheduler.jobstores import DjangoJobStore
stock = BackgroundScheduler(timezone="UTC")
stock.add_jobstore(DjangoJobStore())
stock.start(paused=True)
print(json.dumps({job.id: str(job.trigger) for job in stock.get_jobs()}))
stock.shutdown()
"""

JOBS = """
from scheduler.services import jobs
every_day = {"type": "cron", "expression": "0 2 * * 1", "timezone": "Europe/Berlin"}
jobs.create(id="cron", task="catalog.tidy", trigger=every_day, max_retries=3)
jobs.create(id="paused", task="catalog.tidy", trigger={"type": "interval", "hours": 1})
jobs.pause(job="paused", reason="Too expensive")
jobs.create(id="nearest", task="catalog.tidy", trigger={"type": "cron", "expression": "0 2 15W * *"})
"""

PLAIN_TASK = "def tidy():\n    pass\n"


@pytest.mark.campaign
class TestLeavingForStock:
    def test_and_coming_again_loses_no_job(self, project: OwnProject) -> None:
        project.make()
        project.append("catalog/plain.py", PLAIN_TASK)
        project.append("catalog/tasks.py", 'from catalog.plain import tidy\n\ntask(name="catalog.tidy")(tidy)\n')
        project.manage("init_scheduler_db")
        project.shell(JOBS)
        before = json.loads(project.manage("jobs", "export").stdout)

        assert "2 parked." in project.manage("release_jobs").stdout
        project.manage("migrate", "scheduler", "zero")
        files = {name: project.directory / name for name in ("shop/settings.py", "shop/urls.py", "catalog/tasks.py")}
        kept = {path: path.read_text() for path in files.values()}
        files["catalog/tasks.py"].write_text("")
        files["shop/urls.py"].write_text("urlpatterns = []\n")
        settings = kept[files["shop/settings.py"]] + '\nINSTALLED_APPS.remove("scheduler")\n'
        files["shop/settings.py"].write_text(settings)
        found = json.loads(project.shell(LEFT))

        assert found.keys() == {"cron", "paused", "nearest", "scheduler.cleanup_jobs"}
        assert found["cron"].startswith("cron[")
        assert "Europe/Berlin" not in found["nearest"]

        for path, text in kept.items():
            path.write_text(text)
        project.manage("init_scheduler_db")
        taken = project.manage("adopt_jobs", check=False).stdout

        assert json.loads(project.manage("jobs", "export").stdout) == before, taken


SCRIPT = """
import django
django.setup()
from scheduler.engine.scheduler import DurableScheduler
from scheduler.models import Node, Run
from scheduler.services import jobs
import time
print("the script runs")
scheduler = DurableScheduler()
scheduler.start()
jobs.run_now(job=jobs.create(task="catalog.talk", kwargs={"words": "hi"}, trigger={"type": "interval", "hours": 1}))
for _ in range(3000):
    if Run.objects.filter(state="succeeded").exists():
        break
    time.sleep(0.1)
print(Node.objects.count(), "node", Run.objects.values_list("state", flat=True)[0])
scheduler.shutdown()
"""


class TestAScriptWithoutAGuard:
    def test_is_one_node_and_runs_once(self, installed_project: OwnProject) -> None:
        project = installed_project
        project.make()
        project.append("catalog/tasks.py", TASK)
        project.append("script.py", SCRIPT)

        done = project.call("script.py")

        assert done.stdout.splitlines() == ["the script runs", "1 node succeeded"]
        assert "Traceback" not in done.stderr

    def test_is_told_to_have_one_where_it_has_tasks(self, installed_project: OwnProject) -> None:
        project = installed_project
        project.make()
        project.append("catalog/tasks.py", TASK)
        script = SCRIPT.replace("print(", 'from scheduler import task\ntask(name="script.task")(lambda_)\nprint(', 1)
        project.append("script.py", f"def lambda_():\n    pass\n{script}")

        told = project.start("script.py", output="script.log")
        try:
            log = project.directory / "script.log"
            wait_until(lambda: 'Start its scheduler under “if __name__ == "__main__":”.' in log.read_text())
        finally:
            told.kill()
            told.wait()

        assert project.rows("SELECT count(*) FROM scheduler_node") == [(1,)]
